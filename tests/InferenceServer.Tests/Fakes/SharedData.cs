namespace InferenceServer.Tests.Fakes;

/// <summary>Third-party test data beside the repository; tests that need it are skipped where it is missing.</summary>
internal static class SharedData
{
    public static string PathOf(string relative)
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        string path = Path.Combine(folder!.FullName, "..", "shared", "data", relative);
        if (!Path.Exists(path)) Assert.Skip($"'{relative}' is not in ../shared/data beside the repository; put the test data there to run this test.");
        return path;
    }
}
