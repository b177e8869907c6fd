using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Builtins;

internal delegate Value DictMethod(TemplateRun run, DictValue self, Arguments arguments);

/// <summary>The methods of Python's dict that read.</summary>
internal static class DictMethods
{
    public static DictMethod? Find(string name) => name switch
    {
        "get" => Get,
        "items" => static (run, self, _) => View(run, "dict_items", self.Pairs()),
        "keys" => static (run, self, _) => View(run, "dict_keys", self.Keys()),
        "values" => static (run, self, _) => View(run, "dict_values", self.Values()),
        "copy" => static (_, self, _) => self,
        _ => null,
    };

    /// <summary>Whether d.name means dict's own attribute and not an item.</summary>
    public static bool IsAttribute(string name) => name is "clear" or "copy" or "fromkeys" or "get" or "items" or "keys" or "pop"
        or "popitem" or "setdefault" or "update" or "values" || name.StartsWith("__", StringComparison.Ordinal);

    private static Value Get(TemplateRun run, DictValue self, Arguments arguments)
    {
        Value?[] bound = arguments.Bind("get", 1, "key", "default");
        bound[0]!.Hash();
        return self.GetItem(bound[0]!) ?? bound[1] ?? NoneValue.Instance;
    }

    private static DictViewValue View(TemplateRun run, string typeName, Value[] items)
    {
        run.Charge(items.Length);
        return new DictViewValue(typeName, items);
    }
}
