namespace InferenceServer.Text.Templates.Values;

/// <summary>Python's x[start:stop:step].</summary>
internal static class Slicing
{
    /// <exception cref="TemplateError">The value cannot be sliced, or not so.</exception>
    public static Value Slice(TemplateRun run, Value value, Value? start, Value? stop, Value? step)
    {
        if (value is UndefinedValue undefined) throw undefined.Fail();
        if (value is not (StringValue or SequenceValue)) throw new TemplateError($"'{value.TypeName}' object cannot be sliced.");
        if (!CanBound(start) || !CanBound(stop) || !CanBound(step)) throw new TemplateError("slice indices must be integers or None.");
        (int first, int count, int stride) = Range(value.Length!.Value, start, stop, step);
        run.Charge(count / 16);
        if (value is SequenceValue sequence) return sequence.With(Pick(sequence.Items, first, count, stride));
        var text = (StringValue)value;
        if (count == 0) return StringValue.Empty;
        if (stride != 1) return Reordered(run, text, first, count, stride);
        int from = CodePoints.Offset(text.Text, first);
        int to = CodePoints.Offset(text.Text, first + count);
        return text.Part(from, to - from);
    }

    private static Value[] Pick(Value[] items, int first, int count, int stride)
    {
        if (stride == 1) return items[first..(first + count)];
        var picked = new Value[count];
        for (int i = 0; i < count; i++) picked[i] = items[first + (i * stride)];
        return picked;
    }

    private static StringValue Reordered(TemplateRun run, StringValue text, int first, int count, int stride)
    {
        run.Charge(text.Text.Length);
        Value[] characters = [.. text.Iterate()];
        var builder = new TextBuilder();
        foreach (Value character in Pick(characters, first, count, stride)) builder.Append((StringValue)character);
        return builder.ToValue();
    }

    // As PySlice_AdjustIndices does it.
    private static (int First, int Count, int Stride) Range(int length, Value? start, Value? stop, Value? step)
    {
        int stride = Bound(step, 1);
        if (stride == 0) throw new TemplateError("slice step cannot be zero.");
        stride = Math.Clamp(stride, -length - 1, length + 1);
        int low = stride < 0 ? -1 : 0;
        int high = stride < 0 ? length - 1 : length;
        int first = Clip(Bound(start, stride < 0 ? high : low, length), low, high);
        int last = Clip(Bound(stop, stride < 0 ? low : high, length), low, high);
        int span = stride < 0 ? first - last : last - first;
        return (first, span <= 0 ? 0 : ((span - 1) / Math.Abs(stride)) + 1, stride);
    }

    private static int Bound(Value? bound, int missing, int length)
    {
        if (bound is null or NoneValue) return missing;
        int index = Bound(bound, 0);
        return index < 0 ? Math.Max(index + length, -1) : index;
    }

    private static int Bound(Value? bound, int missing) => bound is not null && Operators.TryIndex(bound, out int index) ? index : missing;

    private static bool CanBound(Value? bound) => bound is null or NoneValue or IntValue or BoolValue;

    private static int Clip(int index, int low, int high) => Math.Max(low, Math.Min(index, high));
}
