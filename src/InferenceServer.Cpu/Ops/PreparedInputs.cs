using InferenceServer.Cpu.Handles;
using InferenceServer.Cpu.Kernels;
using InferenceServer.Cpu.Kernels.Quantized;
using InferenceServer.Cpu.Memory;
using InferenceServer.Cpu.Threads;

namespace InferenceServer.Cpu.Ops;

/// <summary>
/// An op's activations in the forms that its weight formats want, made once before its threads start. Items: tokens. Buffers grow in the first
/// step that needs more, never after.
/// </summary>
internal sealed unsafe class PreparedInputs : ParallelJob, IDisposable
{
    /// <summary>Tile kernels load one unit more than they use.</summary>
    private const int ReadAhead = ByteTiles.UnitBytes;

    private readonly NativeBuffer?[] _buffers = new NativeBuffer?[Enum.GetValues<InputForm>().Length];
    private readonly nint[] _strides = new nint[Enum.GetValues<InputForm>().Length];
    private CpuActivation _input = null!;
    private InputForm _form;

    public void Prepare(ForkJoinPool pool, CpuActivation input, CpuMatrix matrix)
    {
        _input = input;
        uint done = 0;
        foreach (MatrixSection section in matrix.Sections)
        {
            _form = section.Format.InputFor(input.Rows);
            if ((done >> (int)_form & 1) != 0) continue;
            done |= 1u << (int)_form;
            if (_form == InputForm.F32) continue;
            _strides[(int)_form] = (nint)RowBytes(_form, input.Columns);
            Reserve(_form, _strides[(int)_form] * ((input.MaxRows + RowsTogether(_form) - 1) / RowsTogether(_form)) + ReadAhead);
            pool.Run(this, input.Rows, 4, (long)input.Rows * input.Columns * 2);
        }
    }

    /// <summary>The first row.</summary>
    public byte* this[InputForm form] => form == InputForm.F32 ? (byte*)_input.Values : _buffers[(int)form]!.Pointer;

    /// <summary>Bytes from one row to the next, or from sixteen to the next.</summary>
    public nint Stride(InputForm form) => form == InputForm.F32 ? _input.Stride * sizeof(float) : _strides[(int)form];

    public override void Execute(int begin, int end, int worker)
    {
        int together = RowsTogether(_form);
        for (int row = begin; row < end;)
        {
            int rows = Math.Min(end - row, together - row % together);
            Prepare(row, rows, row % together, this[_form] + row / together * _strides[(int)_form]);
            row += rows;
        }
    }

    private void Prepare(int row, int rows, int place, byte* target)
    {
        switch (_form)
        {
            case InputForm.Bf16:
                Conversion.ToBf16(_input.Row(row), CpuActivation.PaddedColumns(_input.Columns), (ushort*)target);
                break;
            case InputForm.Bf16Tiles:
                Bf16Tiles.Round(_input.Row(row), _input.Stride, rows, _input.Columns, place, target);
                break;
            case InputForm.ByteTiles:
                ByteTiles.Quantize(_input.Row(row), _input.Stride, rows, _input.Columns, place, target);
                break;
            default:
                ByteInput.Quantize(_input.Row(row), _input.Columns, _form, target);
                break;
        }
    }

    public void Dispose()
    {
        foreach (NativeBuffer? buffer in _buffers) buffer?.Dispose();
    }

    /// <summary>Rows of a stride.</summary>
    private static int RowsTogether(InputForm form) => form switch
    {
        InputForm.ByteTiles => ByteTiles.Tokens,
        InputForm.Bf16Tiles => Bf16Tiles.Tokens,
        _ => 1,
    };

    /// <summary>Rows of bf16 begin a cache line later than a power of two would have it: else all tokens share one cache set.</summary>
    private static long RowBytes(InputForm form, int columns) =>
        form switch
        {
            InputForm.Bf16 => CpuActivation.PaddedColumns(columns) * (long)sizeof(ushort) / 64 * 64 + 128,
            InputForm.Bf16Tiles => Bf16Tiles.TileBytes(columns),
            InputForm.ByteTiles => ByteTiles.TileBytes(columns),
            _ => ByteInput.RowBytes(form, columns),
        };

    private void Reserve(InputForm form, long bytes)
    {
        if (_buffers[(int)form] is { } buffer && buffer.Bytes >= bytes) return;
        _buffers[(int)form]?.Dispose();
        _buffers[(int)form] = null;
        _buffers[(int)form] = new NativeBuffer(bytes, "prepared activations");
    }
}
