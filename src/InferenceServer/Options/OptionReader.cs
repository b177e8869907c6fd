using System.CommandLine;

namespace InferenceServer.Options;

/// <summary>Environment first, then the command line over it; all mistakes are collected and told at once.</summary>
internal sealed class OptionReader
{
    private readonly List<(OptionSpec Spec, Option<string[]> Option)> _options = [];

    /// <summary>Adds every option of the catalog to a command.</summary>
    public OptionReader(Command command)
    {
        foreach (OptionSpec spec in OptionCatalog.All)
        {
            Option<string[]> option = spec.Alias is null ? new(spec.Flag) : new(spec.Flag, spec.Alias);
            option.Description = spec.Help;
            option.HelpName = spec.Value;
            option.Arity = ArgumentArity.OneOrMore;
            option.AllowMultipleArgumentsPerToken = false;
            command.Options.Add(option);
            _options.Add((spec, option));
        }
    }

    /// <returns>Options that passed every rule, or the sentences to show.</returns>
    public (ServerOptions? Options, IReadOnlyList<string> Errors) Read(ParseResult parsed, Func<string, string?> environment)
    {
        ServerOptions options = new();
        List<string> errors = [];
        foreach ((OptionSpec spec, Option<string[]> option) in _options)
        {
            string[] values = parsed.GetResult(option) is null ? [] : parsed.GetValue(option) ?? [];
            bool onCommandLine = values.Length > 0;
            if (!onCommandLine && environment(spec.EnvironmentVariable) is { Length: > 0 } variable) values = [variable];
            foreach (string value in values)
            {
                try
                {
                    options = spec.Apply(options, value);
                }
                catch (FormatException e)
                {
                    errors.Add($"{(onCommandLine ? spec.Alias ?? spec.Flag : spec.EnvironmentVariable)} is '{value}'; {e.Message}.");
                }
            }
        }

        errors.AddRange(OptionRules.Check(options));
        return errors.Count == 0 ? (options, []) : (null, errors);
    }
}
