using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace InferenceServer.Text.Templates;

/// <summary>What a template may use up. Conversations of 1,000 messages stay below a tenth of each.</summary>
internal static class TemplateLimits
{
    /// <summary>Node evaluations, plus one for each 64 characters or each item that an operation makes; about 0.3 s.</summary>
    public const int Steps = 5_000_000;

    /// <summary>Characters of the output and of any one string.</summary>
    public const int TextLength = 16 << 20;

    /// <summary>Values inside a list or dict, counted with all that is nested in them.</summary>
    public const int Weight = 1_000_000;

    /// <summary>Nesting of lists and dicts. System.Text.Json stops at 64 by default.</summary>
    public const int ValueDepth = 200;

    /// <summary>Nesting of expressions and blocks in a source. Published templates stay below 40.</summary>
    public const int SyntaxDepth = 200;

    /// <summary>Macros that wait for other macros. Python stops at about 200.</summary>
    public const int CallDepth = 100;

    /// <summary>Items of a range, as in Jinja's sandbox.</summary>
    public const int Range = 100_000;

    /// <summary>Python's own limit on integer digits, 4,300, in bits.</summary>
    public const int IntegerBits = 14_285;

    public const int IntegerDigits = 4_300;

    /// <summary>Recursion over syntax and values asks here first, so that no input can end the process.</summary>
    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) ThrowDepth();
    }

    public static void CheckTextLength(long length)
    {
        if (length > TextLength) throw new TemplateError($"A text grew beyond {TextLength} characters.");
    }

    [DoesNotReturn]
    public static void ThrowDepth() => throw new TemplateError("The template is nested or recurses too deeply.");
}
