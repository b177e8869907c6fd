using System.Runtime.InteropServices;

namespace InferenceServer.Text.Stopping;

/// <summary>
/// Finds the first stop string to be completed in text that arrives in parts, wherever the parts split, and holds back only what may
/// still become one. Of stop strings completed by the same character the longest wins. Time is linear in the text: Aho and Corasick 1975,
/// <see href="https://doi.org/10.1145/360825.360855"/>. Not thread-safe; one a choice.
/// </summary>
public sealed class StopStringMatcher
{
    private readonly Dictionary<(int Node, char Next), int> _children = [];
    private readonly List<Node> _nodes = [new Node()];
    private readonly bool _includeStopInOutput;
    private string _held = "";
    private int _node;
    private string? _found;

    /// <param name="stops">Empty strings are ignored; none at all makes every text pass at once.</param>
    /// <param name="includeStopInOutput">The stop string itself is emitted too.</param>
    public StopStringMatcher(IEnumerable<string> stops, bool includeStopInOutput = false)
    {
        _includeStopInOutput = includeStopInOutput;
        foreach (string stop in stops)
            if (stop.Length > 0)
                AddStop(stop);
        LinkFailures();
    }

    /// <summary>Takes the next text. After a match everything that follows is swallowed.</summary>
    public StopMatch Feed(string text)
    {
        if (_found is not null)
            return new StopMatch("", _found);
        if (_nodes.Count == 1)
            return new StopMatch(text, null);

        for (int i = 0; i < text.Length; i++)
        {
            _node = Next(_node, text[i]);
            if (_nodes[_node].Stop is not { } stop)
                continue;

            _found = stop;
            string upToStop = string.Concat(_held, text.AsSpan(0, i + 1));
            _held = "";
            return new StopMatch(_includeStopInOutput ? upToStop : upToStop[..^stop.Length], stop);
        }

        // The automaton's depth is the length of the longest end of the text that begins a stop string.
        string all = _held.Length == 0 ? text : _held + text;
        int safe = all.Length - _nodes[_node].Depth;
        _held = all[safe..];
        return new StopMatch(all[..safe], null);
    }

    /// <summary>What was held back and will not become a stop string, because the text has ended.</summary>
    public string Flush()
    {
        string held = _held;
        (_held, _node) = ("", 0);
        return held;
    }

    private void AddStop(string stop)
    {
        int node = 0;
        foreach (char c in stop)
        {
            ref int child = ref CollectionsMarshal.GetValueRefOrAddDefault(_children, (node, c), out bool exists);
            if (!exists)
            {
                child = _nodes.Count;
                _nodes.Add(new Node { Parent = node, Last = c, Depth = _nodes[node].Depth + 1 });
            }

            node = child;
        }

        _nodes[node].Stop = stop;
    }

    private void LinkFailures()
    {
        foreach (Node node in _nodes.Skip(1).OrderBy(static node => node.Depth))
        {
            node.Failure = node.Depth == 1 ? 0 : Next(_nodes[node.Parent].Failure, node.Last);
            node.Stop ??= _nodes[node.Failure].Stop;
        }
    }

    private int Next(int node, char c)
    {
        while (true)
        {
            if (_children.TryGetValue((node, c), out int child))
                return child;
            if (node == 0)
                return 0;
            node = _nodes[node].Failure;
        }
    }

    private sealed class Node
    {
        public int Parent;
        public char Last;
        public int Depth;
        public int Failure;
        public string? Stop; // the longest stop string that ends here
    }
}
