using InferenceServer.Cuda.StandIn.Ptx.Instructions;

namespace InferenceServer.Cuda.StandIn.Ptx.Parsing;

/// <summary>Reads the directives of a module and hands each kernel's body to a <see cref="BodyParser"/>.</summary>
internal sealed class ModuleParser
{
    private readonly PtxReader _reader;
    private readonly Scope _scope = new(null);
    private readonly List<VariableDeclaration> _shared = [];

    public ModuleParser(string text, string name)
    {
        _reader = new(text, name);
        _reader.ExpectWord(".version");
        Version = _reader.Word().ToString();
        _reader.ExpectWord(".target");
        Target = _reader.Until('\n').ToString().Split(',')[0].Trim();
        _reader.ExpectWord(".address_size");
        if (_reader.Count() != 64) _reader.Fail("only 64-bit addresses are supported");
    }

    public string Version { get; }
    public string Target { get; }
    public ModuleVariables Variables { get; } = new();

    public IReadOnlyDictionary<string, PtxKernel> ParseKernels(PtxModule module)
    {
        Dictionary<string, PtxKernel> kernels = [];
        while (!_reader.AtEnd)
        {
            string word = _reader.Word().ToString();
            switch (word)
            {
                case ".visible" or ".weak" or ".extern": continue;
                case ".entry":
                    PtxKernel kernel = Kernel(module);
                    if (!kernels.TryAdd(kernel.Name, kernel)) _reader.Fail($"a second kernel {kernel.Name}");
                    break;
                case ".shared":
                    _shared.Add(VariableDeclaration.Parse(_reader));
                    _reader.Expect(';');
                    break;
                case ".global" or ".const":
                    Variable(word == ".global" ? StateSpace.Global : StateSpace.Const);
                    break;
                case ".file" or ".section":
                    _reader.Until(word == ".file" ? '\n' : '}');
                    break;
                default:
                    _reader.Fail($"unsupported directive {word}");
                    break;
            }
        }
        return kernels;
    }

    private void Variable(StateSpace space)
    {
        VariableDeclaration declaration = VariableDeclaration.Parse(_reader);
        _reader.Expect(';');
        if (!_scope.TryAddSymbol(declaration.Name, Variables.Add(declaration, space))) _reader.Fail($"a second {declaration.Name}");
    }

    private PtxKernel Kernel(PtxModule module)
    {
        string name = _reader.Word().ToString();
        List<PtxParam> parameters = [];
        int bytes = 0;
        if (_reader.Take('('))
        {
            while (!_reader.Take(')'))
            {
                _reader.ExpectWord(".param");
                VariableDeclaration declared = VariableDeclaration.Parse(_reader);
                int offset = SharedLayout.Align(bytes, declared.Align);
                parameters.Add(new(declared.Name, offset, declared.Size));
                bytes = offset + declared.Size;
                _reader.Take(',');
            }
        }
        int maxThreads = LaunchBounds();
        BodyParser body = new(_reader, _scope, _shared, parameters);
        body.Parse();
        return new()
        {
            Name = name,
            Module = module,
            Params = parameters,
            ParameterBytes = bytes,
            MaxThreads = maxThreads,
            LocalBytes = body.LocalBytes,
            Shared = body.Shared,
            Code = new(body.Instructions, body.Registers),
        };
    }

    private int LaunchBounds()
    {
        int threads = 1024;
        while (_reader.Peek() == '.')
        {
            ReadOnlySpan<char> directive = _reader.Word();
            bool counts = directive is ".maxntid" or ".reqntid";
            if (!counts && directive is not (".minnctapersm" or ".maxnreg" or ".maxnctapersm")) _reader.Fail($"unsupported directive {directive}");
            int product = _reader.Count();
            while (_reader.Take(',')) product *= _reader.Count();
            if (counts) threads = product;
        }
        return threads;
    }
}
