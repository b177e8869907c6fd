using System.Collections.Frozen;
using InferenceServer.Text.Templates.Nodes;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

internal delegate bool Test(TemplateRun run, Value value, Arguments arguments);

/// <summary>Jinja's tests, what stands behind <c>is</c>. To add one: a line in the table.</summary>
internal static class Tests
{
    private static readonly FrozenDictionary<string, Test> All = new Dictionary<string, Test>(StringComparer.Ordinal)
    {
        ["defined"] = static (_, value, _) => value is not UndefinedValue,
        ["undefined"] = static (_, value, _) => value is UndefinedValue,
        ["none"] = static (_, value, _) => value is NoneValue,
        ["string"] = static (_, value, _) => value is StringValue,
        ["mapping"] = static (_, value, _) => value is DictValue,
        ["iterable"] = static (_, value, _) => value.IsIterable,
        ["sequence"] = static (_, value, _) => value is StringValue or SequenceValue or DictValue or UndefinedValue,
        ["number"] = static (_, value, _) => Operators.IsNumber(value),
        ["integer"] = static (_, value, _) => value is IntValue,
        ["float"] = static (_, value, _) => value is FloatValue,
        ["boolean"] = static (_, value, _) => value is BoolValue,
        ["true"] = static (_, value, _) => ReferenceEquals(value, BoolValue.True),
        ["false"] = static (_, value, _) => ReferenceEquals(value, BoolValue.False),
        ["callable"] = static (_, value, _) => value.IsCallable,
        ["odd"] = static (run, value, _) => Remainder(run, value, IntValue.Of(2)).IsEqualTo(IntValue.Of(1)),
        ["even"] = static (run, value, _) => !Remainder(run, value, IntValue.Of(2)).IsTrue,
        ["divisibleby"] = static (run, value, arguments) => !Remainder(run, value, arguments.Bind("divisibleby", 1, "num")[0]!).IsTrue,
        ["lower"] = static (_, value, _) => StringMethods.IsLower(value.ToText().Text),
        ["upper"] = static (_, value, _) => StringMethods.IsUpper(value.ToText().Text),
        ["sameas"] = static (_, value, arguments) => IsSame(value, arguments.Bind("sameas", 1, "other")[0]!),
        ["escaped"] = static (_, _, _) => false,
        ["filter"] = static (_, value, _) => value is StringValue name && Filters.Find(name.Text) is not null,
        ["test"] = static (_, value, _) => value is StringValue name && Find(name.Text) is not null,
        ["in"] = Comparing("in"),
        ["=="] = Comparing("=="),
        ["eq"] = Comparing("=="),
        ["equalto"] = Comparing("=="),
        ["!="] = Comparing("!="),
        ["ne"] = Comparing("!="),
        ["<"] = Comparing("<"),
        ["lt"] = Comparing("<"),
        ["lessthan"] = Comparing("<"),
        ["<="] = Comparing("<="),
        ["le"] = Comparing("<="),
        [">"] = Comparing(">"),
        ["gt"] = Comparing(">"),
        ["greaterthan"] = Comparing(">"),
        [">="] = Comparing(">="),
        ["ge"] = Comparing(">="),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Test Comparing(string symbol) =>
        (run, value, arguments) => CompareExpression.Holds(run, symbol, value, arguments.Bind(symbol, 1, "other")[0]!);

    private static Value Remainder(TemplateRun run, Value value, Value divisor)
    {
        if (value is StringValue) throw new TemplateError("not all arguments converted during string formatting.");
        return Operators.Modulo(run, value, divisor);
    }

    // Python's "is": one object for None, True, False and small ints, and for a string with itself.
    private static bool IsSame(Value value, Value other) =>
        ReferenceEquals(value, other) || (value is IntValue && other is IntValue && value.IsEqualTo(other));
}
