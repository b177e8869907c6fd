namespace InferenceServer.Text.Templates.Values;

/// <summary>
/// What a template computes with: Python's values as far as templates can tell. Immutable but for namespaces, generators and the like,
/// which live in one render. To add a type: derive, name it as Python does, override what Python's type can do.
/// </summary>
internal abstract class Value
{
    /// <summary>Python's name of the type, for error messages.</summary>
    public abstract string TypeName { get; }

    /// <summary>Python's bool(x).</summary>
    public virtual bool IsTrue => true;

    /// <summary>Python's len(x), or null where it has none.</summary>
    public virtual int? Length => null;

    public virtual bool IsIterable => false;

    public virtual bool IsCallable => false;

    /// <summary>1 + the values nested inside; bounds every walk over a value.</summary>
    public virtual int Weight => 1;

    /// <summary>How deep values are nested inside.</summary>
    public virtual int Depth => 0;

    /// <summary>Python's iter(x). Items of a generator can be had once.</summary>
    public virtual IEnumerable<Value> Iterate() => throw new TemplateError($"'{TypeName}' object is not iterable.");

    /// <summary>Python's getattr: methods and fields, never items. Null where there is none.</summary>
    public virtual Value? GetAttribute(string name) => null;

    /// <summary>Python's x[key]. Null where Python has a LookupError or TypeError.</summary>
    public virtual Value? GetItem(Value key) => null;

    public virtual Value Call(TemplateRun run, Arguments arguments) => throw new TemplateError($"'{TypeName}' object is not callable.");

    /// <summary>Python's str(x).</summary>
    public virtual void WriteText(TextBuilder text) => WriteRepr(text);

    /// <summary>Python's repr(x).</summary>
    public virtual void WriteRepr(TextBuilder text) => text.Append($"<{TypeName} object>");

    /// <summary>Python's ==.</summary>
    public virtual bool IsEqualTo(Value other) => ReferenceEquals(this, other);

    /// <summary>Python's hash(x): equal values have equal hashes.</summary>
    public virtual int Hash() => throw new TemplateError($"unhashable type: '{TypeName}'.");

    public StringValue ToText()
    {
        if (this is StringValue already) return already;
        var text = new TextBuilder();
        WriteText(text);
        return text.ToValue();
    }

    /// <summary>What the sandbox withholds: undefined, so that a template may ask, and an error once it is used.</summary>
    protected static UndefinedValue Refuse(string owner, string name) =>
        new($"access to attribute '{name}' of '{owner}' object is unsafe.");
}
