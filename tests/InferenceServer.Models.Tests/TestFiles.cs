namespace InferenceServer.Models.Tests;

/// <summary>Finds the repository and the third-party data beside it.</summary>
internal static class TestFiles
{
    public static string Root { get; } = FindRoot();

    public static string Manifests => Path.Combine(Root, "models-manifest");

    /// <summary>A path under the shared data folder; skips the test where it is absent.</summary>
    public static string Shared(params ReadOnlySpan<string> parts)
    {
        string path = Path.Combine([Root, "..", "shared", "data", .. parts]);
        if (!Path.Exists(path)) Assert.Skip($"the third-party test data '{path}' is not on this machine");
        return path;
    }

    /// <summary>A path in the repository; skips the test where it is absent.</summary>
    public static string InRepository(params ReadOnlySpan<string> parts)
    {
        string path = Path.Combine([Root, .. parts]);
        if (!Path.Exists(path)) Assert.Skip($"'{path}' is not there");
        return path;
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("no InferenceServer.sln above the tests");
    }
}
