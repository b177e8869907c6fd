using System.Buffers;
using System.Text;
using System.Text.Json;

namespace InferenceServer.GpuBench;

/// <summary>
/// Figures as JSON lines, <c>{"table": ..., field: value, ...}</c>, each written at once, so that what was measured before a time limit survives it
/// and several programs can append to one file. What was not measured is a line as well.
/// </summary>
internal sealed class ResultLog : IDisposable
{
    public const string NotMeasured = "not measured";
    private const string Engine = "this engine"; // as opposed to the peers, whose lines are in the same tables

    private readonly TextWriter _echo;
    private readonly FileStream? _file;

    /// <param name="path">Appended to; null writes to <paramref name="echo"/> alone.</param>
    /// <param name="echo">Shows every line as well.</param>
    public ResultLog(string? path, TextWriter echo)
    {
        _echo = echo;
        if (path is not null) _file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
    }

    /// <summary>One row of a table. Numbers are rounded to four significant digits, of which no measurement here has more.</summary>
    public void Write(string table, params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter json = new(line))
        {
            json.WriteStartObject();
            json.WriteString("table", table);
            foreach ((string name, object? value) in fields) WriteField(json, name, value);
            json.WriteEndObject();
        }

        line.Write("\n"u8);
        _file?.Write(line.WrittenSpan);
        _echo.Write(Encoding.UTF8.GetString(line.WrittenSpan));
        _echo.Flush();
    }

    /// <summary>A row of a table that the peers have rows in too.</summary>
    public void WriteOurs(string table, params ReadOnlySpan<(string Name, object? Value)> fields) => Write(table, [("engine", Engine), .. fields]);

    /// <summary>Says in the snapshot what is missing from it.</summary>
    public void Missing(string what, string why) => Write(NotMeasured, ("engine", Engine), ("what", what), ("why", why.ReplaceLineEndings(" ")));

    /// <summary>Runs one measurement; an exception becomes a line, so that the next one goes on.</summary>
    public bool Try(string what, Action measure)
    {
        try
        {
            measure();
            return true;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Missing(what, $"{e.GetType().Name}: {e.Message}");
            return false;
        }
    }

    public void Dispose() => _file?.Dispose();

    private static void WriteField(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null: json.WriteNull(name); break;
            case string text: json.WriteString(name, text); break;
            case bool flag: json.WriteBoolean(name, flag); break;
            case int number: json.WriteNumber(name, number); break;
            case long number: json.WriteNumber(name, number); break;
            case double number when double.IsFinite(number): json.WriteNumber(name, Rounded(number)); break;
            case double: json.WriteNull(name); break;
            default: throw new ArgumentException($"'{name}' is a {value.GetType().Name}; write text, a number or a boolean.", nameof(value));
        }
    }

    private static double Rounded(double value)
    {
        if (value == 0) return 0;
        int decimals = 3 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return decimals is > 0 and <= 15 ? Math.Round(value, decimals) : Math.Round(value);
    }
}
