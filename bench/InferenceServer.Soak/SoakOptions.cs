namespace InferenceServer.Soak;

/// <summary>One storm, as asked for on the command line. Immutable.</summary>
internal sealed record SoakOptions
{
    /// <summary>A running server to storm; null starts one as a child process, whose memory can then be watched.</summary>
    public Uri? Url { get; init; }

    public int Requests { get; init; } = 100_000;

    /// <summary>Requests in flight at most, besides the slow readers.</summary>
    public int Concurrency { get; init; } = 48;

    /// <summary>Readers of a few bytes a second that are there at every moment.</summary>
    public int SlowReaders { get; init; } = 4;

    /// <summary>Which request comes when, with what in it. The same seed sends the same requests; who meets whom is up to the machine.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The child's executable; null takes the one that was built beside this program, in the same configuration.</summary>
    public string? ServerFile { get; init; }

    /// <summary>More arguments for the child.</summary>
    public IReadOnlyList<string> ServerArguments { get; init; } = [];

    /// <summary>Where bad-inputs lies; null looks beside the repository.</summary>
    public string? DataFolder { get; init; }

    public string? JsonFile { get; init; }

    /// <summary>The command line as typed, kept with the figures.</summary>
    public required string Command { get; init; }
}
