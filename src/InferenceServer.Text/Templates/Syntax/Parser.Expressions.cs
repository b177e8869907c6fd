using System.Globalization;
using System.Numerics;
using InferenceServer.Text.Templates.Builtins;
using InferenceServer.Text.Templates.Nodes;
using InferenceServer.Text.Templates.Values;

namespace InferenceServer.Text.Templates.Syntax;

/// <summary>Expressions, weakest operator first.</summary>
internal sealed partial class Parser
{
    private Expression ParseExpression()
    {
        Enter();
        bool wasSoft = _isSoft;
        Expression expression = ParseOr();
        while (TakeName("if"))
        {
            _isSoft = true;
            Expression test = ParseOr();
            Expression? otherwise = TakeName("else") ? ParseExpression() : null;
            expression = new ConditionalExpression(test, expression, otherwise);
        }
        _isSoft = wasSoft;
        _depth--;
        return expression;
    }

    /// <summary>One expression, or several with commas between: a tuple without brackets.</summary>
    private Expression ParseTuple(bool withCondition, string? end = null)
    {
        Expression first = withCondition ? ParseExpression() : ParseOr();
        if (!Current.IsOperator(",")) return first;
        var items = new List<Expression> { first };
        while (TakeOperator(",") && !IsTupleEnd(end)) items.Add(withCondition ? ParseExpression() : ParseOr());
        return new TupleExpression([.. items]);
    }

    private bool IsTupleEnd(string? end) => Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.End
        || Current.IsOperator(")") || (end is not null && Current.IsName(end));

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        while (TakeName("or")) left = new OrExpression(left, ParseAnd());
        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        while (TakeName("and")) left = new AndExpression(left, ParseNot());
        return left;
    }

    private Expression ParseNot()
    {
        if (!TakeName("not")) return ParseCompare();
        Enter();
        var not = new NotExpression(ParseNot());
        _depth--;
        return not;
    }

    private Expression ParseCompare()
    {
        Expression first = ParseSum();
        var rest = new List<ComparisonStep>();
        while (TakeComparison() is { } symbol) rest.Add(new ComparisonStep(symbol, ParseSum()));
        return rest.Count == 0 ? first : new CompareExpression(first, [.. rest]);
    }

    private string? TakeComparison()
    {
        if (Current.Kind == TokenKind.Operator && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=") return Next().Text;
        if (TakeName("in")) return "in";
        if (!Current.IsName("not") || !_tokens[_at + 1].IsName("in")) return null;
        _at += 2;
        return "not in";
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcat();
        while (Current.Kind == TokenKind.Operator && Current.Text is "+" or "-")
        {
            Token symbol = Next();
            left = new BinaryExpression(symbol.Line, symbol.Text, left, ParseConcat());
        }
        return left;
    }

    private Expression ParseConcat()
    {
        Expression first = ParseProduct();
        if (!Current.IsOperator("~")) return first;
        var parts = new List<Expression> { first };
        while (TakeOperator("~")) parts.Add(ParseProduct());
        return new ConcatExpression([.. parts]);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (Current.Kind == TokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            Token symbol = Next();
            left = new BinaryExpression(symbol.Line, symbol.Text, left, ParsePower());
        }
        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilter: true);
        while (Current.IsOperator("**"))
        {
            Token symbol = Next();
            left = new BinaryExpression(symbol.Line, symbol.Text, left, ParseUnary(withFilter: true));
        }
        return left;
    }

    private Expression ParseUnary(bool withFilter)
    {
        Expression operand;
        if (Current.IsOperator("-") || Current.IsOperator("+"))
        {
            bool isNegative = Next().Text == "-";
            Enter();
            operand = new SignExpression(isNegative, ParseUnary(withFilter: false));
            _depth--;
        }
        else
        {
            operand = ParsePrimary();
        }
        operand = ParsePostfix(operand);
        return withFilter ? ParseFilters(operand) : operand;
    }

    private Expression ParsePrimary()
    {
        Token token = Next();
        switch (token.Kind)
        {
            case TokenKind.Name: return ParseName(token);
            case TokenKind.String: return ParseString(token);
            case TokenKind.Integer: return new LiteralExpression(ParseInteger(token));
            case TokenKind.Float: return new LiteralExpression(new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(": return ParseBracket();
            case TokenKind.Operator when token.Text == "[": return new ListExpression(ParseItems("]"));
            case TokenKind.Operator when token.Text == "{": return ParseDict();
            default:
                _at--;
                throw Error($"Expected an expression, found {token.Describe()}.");
        }
    }

    private Expression ParseName(Token token)
    {
        switch (token.Text)
        {
            case "true" or "True": return new LiteralExpression(BoolValue.True);
            case "false" or "False": return new LiteralExpression(BoolValue.False);
            case "none" or "None": return new LiteralExpression(NoneValue.Instance);
            default:
                foreach (MacroScan macro in _macros) macro.See(token.Text);
                return new NameExpression(token.Text);
        }
    }

    private LiteralExpression ParseString(Token token)
    {
        string text = token.Text;
        while (Current.Kind == TokenKind.String)
        {
            text += Next().Text;
            if (text.Length > TemplateLimits.TextLength) throw Error("A string literal is too long.");
        }
        return new LiteralExpression(StringValue.Trusted(text));
    }

    private IntValue ParseInteger(Token token)
    {
        string text = token.Text.Replace("_", "", StringComparison.Ordinal);
        if (text.Length > TemplateLimits.IntegerDigits) throw Error("An integer has more than 4300 digits.");
        int radix = text.Length > 1 ? char.ToLowerInvariant(text[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
        if (radix == 10) return IntValue.Of(BigInteger.Parse(text, CultureInfo.InvariantCulture));
        BigInteger number = 0;
        foreach (char digit in text.AsSpan(2))
        {
            int value = Convert.ToInt32(digit.ToString(), 16);
            if (value >= radix) throw Error($"'{text}' is no integer.");
            number = (number * radix) + value;
        }
        return IntValue.Of(number);
    }

    private Expression ParseBracket()
    {
        Enter();
        Expression inner = Current.IsOperator(")") ? new TupleExpression([]) : ParseTuple(withCondition: true);
        _depth--;
        ExpectOperator(")");
        return inner;
    }

    private Expression[] ParseItems(string close)
    {
        Enter();
        var items = new List<Expression>();
        while (!TakeOperator(close))
        {
            if (items.Count > 0) ExpectOperator(",");
            if (TakeOperator(close)) break;
            items.Add(ParseExpression());
        }
        _depth--;
        return [.. items];
    }

    private DictExpression ParseDict()
    {
        Enter();
        var entries = new List<KeyValuePair<Expression, Expression>>();
        while (!TakeOperator("}"))
        {
            if (entries.Count > 0) ExpectOperator(",");
            if (TakeOperator("}")) break;
            Expression key = ParseExpression();
            ExpectOperator(":");
            entries.Add(new(key, ParseExpression()));
        }
        _depth--;
        return new DictExpression([.. entries]);
    }

    private Expression ParsePostfix(Expression target)
    {
        while (Current.Kind == TokenKind.Operator)
        {
            int line = Current.Line;
            if (TakeOperator(".")) target = ParseMember(target, line);
            else if (TakeOperator("[")) target = ParseSubscript(target, line);
            else if (TakeOperator("(")) target = new CallExpression(line, target, ParseArguments());
            else break;
        }
        return target;
    }

    private Expression ParseMember(Expression target, int line)
    {
        Token name = Next();
        if (name.Kind == TokenKind.Name) return new AttributeExpression(line, target, name.Text);
        if (name.Kind == TokenKind.Integer) return new ItemExpression(line, target, new LiteralExpression(ParseInteger(name)));
        _at--;
        throw Error($"Expected a name after the point, found {name.Describe()}.");
    }

    private Expression ParseSubscript(Expression target, int line)
    {
        Enter();
        Expression? start = Current.IsOperator(":") ? null : ParseExpression();
        Expression result;
        if (TakeOperator(":"))
        {
            Expression? stop = Current.IsOperator(":") || Current.IsOperator("]") ? null : ParseExpression();
            Expression? step = TakeOperator(":") && !Current.IsOperator("]") ? ParseExpression() : null;
            result = new SliceExpression(line, target, start, stop, step);
        }
        else if (Current.IsOperator(","))
        {
            var keys = new List<Expression> { start! };
            while (TakeOperator(",")) keys.Add(ParseExpression());
            result = new ItemExpression(line, target, new TupleExpression([.. keys]));
        }
        else
        {
            result = new ItemExpression(line, target, start!);
        }
        _depth--;
        ExpectOperator("]");
        return result;
    }

    private Expression ParseFilters(Expression target)
    {
        while (true)
        {
            int line = Current.Line;
            if (Current.IsOperator("|")) target = new FilterExpression(target, ParseFilterCalls());
            else if (Current.IsName("is")) target = ParseTest(target);
            else if (TakeOperator("(")) target = new CallExpression(line, target, ParseArguments());
            else return target;
        }
    }

    private FilterCall[] ParseFilterCalls()
    {
        var calls = new List<FilterCall>();
        while (TakeOperator("|")) calls.Add(ParseFilterCall());
        return [.. calls];
    }

    private FilterCall ParseFilterCall()
    {
        Token name = Expect(TokenKind.Name);
        string full = ParseDotted(name.Text);
        if (Filters.Find(full) is null && !_isSoft) throw Error($"No filter named '{full}' found.");
        return new FilterCall(name.Line, full, TakeOperator("(") ? ParseArguments() : ArgumentList.None);
    }

    private string ParseDotted(string name)
    {
        while (TakeOperator(".")) name += "." + Expect(TokenKind.Name).Text;
        return name;
    }

    private Expression ParseTest(Expression target)
    {
        int line = Next().Line;
        bool isNegated = TakeName("not");
        string name = ParseDotted(Expect(TokenKind.Name).Text);
        if (Tests.Find(name) is null && !_isSoft) throw Error($"No test named '{name}' found.");
        var test = new TestExpression(line, target, name, ParseTestArguments());
        return isNegated ? new NotExpression(test) : test;
    }

    private ArgumentList ParseTestArguments()
    {
        if (TakeOperator("(")) return ParseArguments();
        bool hasArgument = Current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float
            || (Current.Kind == TokenKind.Operator && Current.Text is "[" or "{");
        if (!hasArgument || (Current.Kind == TokenKind.Name && Current.Text is "else" or "or" or "and")) return ArgumentList.None;
        if (Current.IsName("is")) throw Error("Tests with 'is' cannot be chained.");
        return new ArgumentList([new Argument(ArgumentKind.Positional, null, ParsePostfix(ParsePrimary()))]);
    }

    private ArgumentList ParseArguments()
    {
        Enter();
        var arguments = new List<Argument>();
        while (!TakeOperator(")"))
        {
            if (arguments.Count > 0) ExpectOperator(",");
            if (TakeOperator(")")) break;
            arguments.Add(ParseArgument());
        }
        _depth--;
        return arguments.Count == 0 ? ArgumentList.None : new ArgumentList([.. arguments]);
    }

    private Argument ParseArgument()
    {
        if (TakeOperator("**")) return new Argument(ArgumentKind.Mapping, null, ParseExpression());
        if (TakeOperator("*")) return new Argument(ArgumentKind.Sequence, null, ParseExpression());
        if (Current.Kind != TokenKind.Name || !_tokens[_at + 1].IsOperator("=")) return new Argument(ArgumentKind.Positional, null, ParseExpression());
        string name = Next().Text;
        _at++;
        return new Argument(ArgumentKind.Named, name, ParseExpression());
    }
}
