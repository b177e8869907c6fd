namespace InferenceServer.Soak;

/// <summary>Where things lie in and beside the repository.</summary>
internal static class RepositoryFiles
{
#if DEBUG
    public const string Configuration = "Debug";
#else
    public const string Configuration = "Release";
#endif

    public static string ServerFile() => Path.Combine(Root(), "src", "InferenceServer", "bin", Configuration, "net10.0", "InferenceServer.dll");

    public static string DataFolder() => Path.Combine(Root(), "..", "shared", "data");

    /// <exception cref="SoakException">The program was copied out of the repository.</exception>
    private static string Root()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "InferenceServer.sln"))) return folder.FullName;
        }

        throw new SoakException("InferenceServer.sln is in no folder above this program; name the server with --server and the data with --data.");
    }
}
