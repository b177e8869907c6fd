using InferenceServer.Text.Templates.Nodes;

namespace InferenceServer.Text.Templates.Syntax;

/// <summary>Statements of a template, by recursive descent as jinja2/parser.py does it. Expressions are in the other half.</summary>
internal sealed partial class Parser
{
    private readonly List<Token> _tokens;
    private readonly List<MacroScan> _macros = [];
    private int _at;
    private int _depth;
    private int _loops;

    // Jinja forgives an unknown filter or test while it may never run: directly inside an if.
    private bool _isSoft;

    public Parser(string source) => _tokens = Lexer.Read(source);

    private Token Current => _tokens[_at];

    public Statement[] ParseTemplate()
    {
        Statement[] body = ParseBody();
        if (Current.Kind == TokenKind.End) return body;
        throw Error($"The tag {_tokens[_at].Describe()} closes nothing.");
    }

    /// <summary>Statements up to the end or to a tag with one of these names, whose name is then the current token.</summary>
    private Statement[] ParseBody(params ReadOnlySpan<string> ends)
    {
        Enter();
        var body = new List<Statement>();
        while (Current.Kind != TokenKind.End)
        {
            Token token = Next();
            if (token.Kind == TokenKind.Data)
            {
                body.Add(new TextStatement(token.Text));
            }
            else if (token.Kind == TokenKind.VariableBegin)
            {
                body.Add(new PrintStatement(token.Line, ParseTuple(withCondition: true)));
                Expect(TokenKind.VariableEnd);
            }
            else
            {
                if (Current.Kind == TokenKind.Name && (ends.Contains(Current.Text) || IsEndTag(Current.Text))) break;
                body.Add(ParseStatement());
                Expect(TokenKind.BlockEnd);
            }
        }
        _depth--;
        return [.. body];
    }

    private static bool IsEndTag(string name) => name is "else" or "elif" || name.StartsWith("end", StringComparison.Ordinal);

    /// <summary>A body whose end tag is consumed up to its last name.</summary>
    private Statement[] ParseBodyTo(string end)
    {
        Statement[] body = ParseBody(end);
        ExpectEnd(end);
        return body;
    }

    private void ExpectEnd(string end)
    {
        if (!Current.IsName(end)) throw Error($"Expected the tag '{end}', found {Current.Describe()}.");
        _at++;
    }

    private Statement ParseStatement()
    {
        Token tag = Expect(TokenKind.Name);
        return tag.Text switch
        {
            "if" => ParseIf(tag),
            "for" => ParseFor(tag),
            "set" => ParseSet(tag),
            "macro" => ParseMacro(tag),
            "call" => ParseCallBlock(tag),
            "filter" => ParseFilterBlock(tag),
            "with" => ParseWith(tag),
            "print" => ParsePrint(tag),
            "generation" => ParseScope("endgeneration"),
            "block" => ParseBlock(),
            "break" or "continue" => ParseJump(tag),
            "extends" or "include" or "import" or "from" or "autoescape" =>
                throw Error($"The tag '{tag.Text}' is not supported: a chat template is one file, and plain text."),
            _ => throw Error($"The tag '{tag.Text}' is unknown."),
        };
    }

    private JumpStatement ParseJump(Token tag)
    {
        if (_loops == 0) throw Error($"'{tag.Text}' is outside of a loop.");
        return tag.Text == "break" ? JumpStatement.Break : JumpStatement.Continue;
    }

    private IfStatement ParseIf(Token tag)
    {
        bool wasSoft = _isSoft;
        _isSoft = true;
        var branches = new List<IfBranch>();
        Statement[] otherwise = [];
        int line = tag.Line;
        while (true)
        {
            Expression test = ParseTuple(withCondition: false);
            Expect(TokenKind.BlockEnd);
            branches.Add(new IfBranch(line, test, ParseBody("elif", "else", "endif")));
            line = Current.Line;
            if (!TakeName("elif")) break;
        }
        if (TakeName("else"))
        {
            Expect(TokenKind.BlockEnd);
            otherwise = ParseBody("endif");
        }
        ExpectEnd("endif");
        _isSoft = wasSoft;
        return new IfStatement([.. branches], otherwise);
    }

    private ForStatement ParseFor(Token tag)
    {
        AssignTarget target = ParseTarget("in");
        ExpectEnd("in");
        Expression items = ParseTuple(withCondition: false, "recursive");
        bool wasSoft = _isSoft;
        _isSoft = false;
        Expression? test = TakeName("if") ? ParseExpression() : null;
        bool isRecursive = TakeName("recursive");
        Expect(TokenKind.BlockEnd);
        _loops++;
        Statement[] body = ParseBody("endfor", "else");
        _loops--;
        Statement[] otherwise = [];
        if (TakeName("else"))
        {
            Expect(TokenKind.BlockEnd);
            otherwise = ParseBody("endfor");
        }
        ExpectEnd("endfor");
        _isSoft = wasSoft;
        return new ForStatement(tag.Line, target, items, test, isRecursive, body, otherwise);
    }

    private Statement ParseSet(Token tag)
    {
        AssignTarget target = ParseTarget(null);
        if (TakeOperator("=")) return new SetStatement(tag.Line, target, ParseTuple(withCondition: true));
        FilterCall[] filters = ParseFilterCalls();
        Expect(TokenKind.BlockEnd);
        return new SetBlockStatement(tag.Line, target, filters, ParseInner("endset"));
    }

    private MacroStatement ParseMacro(Token tag)
    {
        Token name = Expect(TokenKind.Name);
        MacroParameter[] parameters = ParseParameters();
        return new MacroStatement(tag.Line, ParseMacroBody(name.Text, parameters, "endmacro"));
    }

    private CallBlockStatement ParseCallBlock(Token tag)
    {
        MacroParameter[] parameters = Current.IsOperator("(") ? ParseParameters() : [];
        if (ParseExpression() is not CallExpression call) throw Error("A call block needs a call.");
        return new CallBlockStatement(tag.Line, call, ParseMacroBody("caller", parameters, "endcall"));
    }

    private MacroBody ParseMacroBody(string name, MacroParameter[] parameters, string end)
    {
        Expect(TokenKind.BlockEnd);
        var scan = new MacroScan();
        _macros.Add(scan);
        int loops = _loops;
        _loops = 0;
        Statement[] body = ParseInner(end);
        _loops = loops;
        _macros.RemoveAt(_macros.Count - 1);
        return new MacroBody(name, parameters, body, scan.UsesVarargs, scan.UsesKwargs, scan.UsesCaller);
    }

    /// <summary>A body in a frame of its own, in which an unknown filter is an error again.</summary>
    private Statement[] ParseInner(string end)
    {
        bool wasSoft = _isSoft;
        _isSoft = false;
        Statement[] body = ParseBodyTo(end);
        _isSoft = wasSoft;
        return body;
    }

    private MacroParameter[] ParseParameters()
    {
        ExpectOperator("(");
        var parameters = new List<MacroParameter>();
        while (!TakeOperator(")"))
        {
            if (parameters.Count > 0) ExpectOperator(",");
            string name = Expect(TokenKind.Name).Text;
            Expression? standard = TakeOperator("=") ? ParseExpression() : null;
            if (standard is null && parameters.Count > 0 && parameters[^1].Default is not null)
                throw Error("A parameter without a default follows one with a default.");
            parameters.Add(new MacroParameter(name, standard));
        }
        return [.. parameters];
    }

    private FilterBlockStatement ParseFilterBlock(Token tag)
    {
        FilterCall[] filters = [ParseFilterCall(), .. ParseFilterCalls()];
        Expect(TokenKind.BlockEnd);
        return new FilterBlockStatement(tag.Line, filters, ParseInner("endfilter"));
    }

    private WithStatement ParseWith(Token tag)
    {
        var targets = new List<AssignTarget>();
        var values = new List<Expression>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (targets.Count > 0) ExpectOperator(",");
            targets.Add(ParseTarget(null));
            ExpectOperator("=");
            values.Add(ParseExpression());
        }
        Expect(TokenKind.BlockEnd);
        return new WithStatement(tag.Line, [.. targets], [.. values], ParseInner("endwith"));
    }

    private ConcatStatement ParsePrint(Token tag)
    {
        var parts = new List<Statement>();
        while (Current.Kind != TokenKind.BlockEnd)
        {
            if (parts.Count > 0) ExpectOperator(",");
            parts.Add(new PrintStatement(tag.Line, ParseExpression()));
        }
        return new ConcatStatement([.. parts]);
    }

    /// <summary>Nothing extends a chat template, so a block is its body.</summary>
    private ScopeStatement ParseBlock()
    {
        Expect(TokenKind.Name);
        while (TakeName("scoped") || TakeName("required")) continue;
        ScopeStatement block = ParseScope("endblock");
        if (Current.Kind == TokenKind.Name) _at++;
        return block;
    }

    private ScopeStatement ParseScope(string end)
    {
        Expect(TokenKind.BlockEnd);
        return new ScopeStatement(ParseInner(end));
    }

    private AssignTarget ParseTarget(string? end)
    {
        var targets = new List<AssignTarget>();
        bool isTuple = false;
        do
        {
            if (targets.Count > 0) isTuple = true;
            if (Current.IsOperator("=") || (end is not null && Current.IsName(end))) break;
            targets.Add(ParseSingleTarget());
        }
        while (TakeOperator(","));
        if (targets.Count == 0) throw Error($"Expected a name to assign to, found {Current.Describe()}.");
        return isTuple ? new TupleTarget([.. targets]) : targets[0];
    }

    private AssignTarget ParseSingleTarget()
    {
        if (TakeOperator("("))
        {
            Enter();
            AssignTarget inner = ParseTarget(null);
            _depth--;
            ExpectOperator(")");
            return inner;
        }
        Token name = Expect(TokenKind.Name);
        if (name.Text is "true" or "false" or "none" or "True" or "False" or "None") throw Error($"Cannot assign to '{name.Text}'.");
        if (!TakeOperator(".")) return new NameTarget(name.Text);
        return new NamespaceTarget(name.Text, Expect(TokenKind.Name).Text);
    }

    private void Enter()
    {
        if (++_depth > TemplateLimits.SyntaxDepth) throw Error($"The template is nested more than {TemplateLimits.SyntaxDepth} deep.");
    }

    private Token Next() => _tokens[_at++];

    private Token Expect(TokenKind kind)
    {
        if (Current.Kind != kind) throw Error($"Expected {new Token(kind, kind.ToString(), 0).Describe()}, found {Current.Describe()}.");
        return Next();
    }

    private bool TakeName(string name)
    {
        if (!Current.IsName(name)) return false;
        _at++;
        return true;
    }

    private bool TakeOperator(string symbol)
    {
        if (!Current.IsOperator(symbol)) return false;
        _at++;
        return true;
    }

    private void ExpectOperator(string symbol)
    {
        if (!TakeOperator(symbol)) throw Error($"Expected '{symbol}', found {Current.Describe()}.");
    }

    private TemplateSyntaxError Error(string message) => new(message, Current.Line);

    /// <summary>Which of the special names the body of a macro mentions: only then may a call bring them.</summary>
    private sealed class MacroScan
    {
        public bool UsesVarargs { get; private set; }

        public bool UsesKwargs { get; private set; }

        public bool UsesCaller { get; private set; }

        public void See(string name)
        {
            UsesVarargs |= name == "varargs";
            UsesKwargs |= name == "kwargs";
            UsesCaller |= name == "caller";
        }
    }
}
