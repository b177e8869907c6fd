using System.Collections.Frozen;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

internal delegate Value Filter(TemplateRun run, Value value, Arguments arguments);

/// <summary>
/// Jinja's filters by name. To add one: a line here, and a method beside its kin that binds its parameters by Jinja's names.
/// </summary>
internal static class Filters
{
    private static readonly FrozenDictionary<string, Filter> All = new Dictionary<string, Filter>(StringComparer.Ordinal)
    {
        ["tojson"] = JsonText.Filter,
        ["default"] = ValueFilters.Default,
        ["d"] = ValueFilters.Default,
        ["string"] = static (_, value, _) => value.ToText(),
        ["safe"] = static (_, value, _) => value.ToText().AsMarkup(true),
        ["int"] = NumberFilters.Int,
        ["float"] = NumberFilters.Float,
        ["abs"] = NumberFilters.Abs,
        ["round"] = NumberFilters.Round,
        ["sum"] = NumberFilters.Sum,
        ["min"] = static (run, value, arguments) => SequenceFilters.Extreme(run, value, arguments, "min", -1),
        ["max"] = static (run, value, arguments) => SequenceFilters.Extreme(run, value, arguments, "max", 1),
        ["length"] = ValueFilters.Length,
        ["count"] = ValueFilters.Length,
        ["attr"] = ValueFilters.Attribute,
        ["first"] = SequenceFilters.First,
        ["last"] = SequenceFilters.Last,
        ["list"] = SequenceFilters.List,
        ["reverse"] = SequenceFilters.Reverse,
        ["join"] = SequenceFilters.Join,
        ["sort"] = SequenceFilters.Sort,
        ["unique"] = SequenceFilters.Unique,
        ["groupby"] = SequenceFilters.GroupBy,
        ["batch"] = SequenceFilters.Batch,
        ["slice"] = SequenceFilters.Slice,
        ["items"] = MappingFilters.Items,
        ["dictsort"] = MappingFilters.DictSort,
        ["map"] = SelectionFilters.Map,
        ["select"] = static (run, value, arguments) => SelectionFilters.Select(run, value, arguments, wanted: true, byAttribute: false),
        ["reject"] = static (run, value, arguments) => SelectionFilters.Select(run, value, arguments, wanted: false, byAttribute: false),
        ["selectattr"] = static (run, value, arguments) => SelectionFilters.Select(run, value, arguments, wanted: true, byAttribute: true),
        ["rejectattr"] = static (run, value, arguments) => SelectionFilters.Select(run, value, arguments, wanted: false, byAttribute: true),
        ["trim"] = TextFilters.Trim,
        ["upper"] = static (_, value, _) => Texts.Upper(value.ToText()),
        ["lower"] = static (_, value, _) => Texts.Lower(value.ToText()),
        ["capitalize"] = static (_, value, _) => Texts.Capitalize(value.ToText()),
        ["title"] = static (_, value, _) => TextFilters.Title(value.ToText()),
        ["replace"] = TextFilters.Replace,
        ["indent"] = TextFilters.Indent,
        ["format"] = TextFilters.Format,
        ["center"] = TextFilters.Center,
        ["truncate"] = TextFilters.Truncate,
        ["wordcount"] = TextFilters.WordCount,
        ["escape"] = static (_, value, _) => TextFilters.Escape(value.ToText()),
        ["e"] = static (_, value, _) => TextFilters.Escape(value.ToText()),
        ["forceescape"] = static (_, value, _) => TextFilters.ForceEscape(value.ToText()),
        ["urlencode"] = MappingFilters.UrlEncode,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static Filter? Find(string name) => All.GetValueOrDefault(name);
}
