using System.Text;

namespace InferenceServer.Text.Tokenizers.Models;

/// <summary>The first step of BPE: a word to the ids of its single bytes or characters. Immutable and thread-safe.</summary>
internal sealed class AtomTable
{
    private const int Unknown = -1;

    private readonly Vocabulary _vocabulary;
    private readonly BpeOptions _options;
    private readonly IReadOnlySet<int> _special;
    private readonly int[] _ids;       // by byte with ByteLevel, else by ASCII character; plain atoms without prefix and suffix
    private readonly int[] _fallback;  // by byte: the id of <0xNN>
    private readonly bool _decorated;

    public AtomTable(Vocabulary vocabulary, BpeOptions options, IReadOnlySet<int> special)
    {
        (_vocabulary, _options, _special) = (vocabulary, options, special);
        _decorated = options.ContinuingPrefix.Length + options.EndSuffix.Length > 0;
        _ids = new int[options.ByteLevel ? 256 : 128];
        _fallback = new int[256];
        for (int i = 0; i < _ids.Length; i++)
            _ids[i] = Find((options.ByteLevel ? ByteAlphabet.ToChar((byte)i) : (char)i).ToString());
        for (int b = 0; b < 256; b++)
            _fallback[b] = options.ByteFallback ? Find($"<0x{b:X2}>") : Unknown;
    }

    /// <summary>Byte fallback is on and every byte has its token, so that no character is unknown.</summary>
    public bool HasAllBytes => _options.ByteFallback && Array.TrueForAll(_fallback, static id => id >= 0);

    /// <summary>Writes the atoms of a word; returns how many. There must be room for three atoms a char, and one.</summary>
    public int Write(ReadOnlySpan<char> word, Span<int> atoms) =>
        _options.ByteLevel && !_decorated ? WriteBytes(word, atoms) : WriteCharacters(word, atoms);

    /// <summary>Writes the bytes of characters that merged with nothing and are no tokens; returns how many atoms there are now.</summary>
    public int SpellLetters(Span<int> atoms, int count)
    {
        int[] spelled = ScratchPool.Rent<int>(atoms.Length);
        int length = 0;
        foreach (int id in atoms[..count])
        {
            if (id < _options.LettersFrom)
                spelled[length++] = id;
            else
                foreach (byte b in _vocabulary.Content(id))
                    spelled[length++] = _fallback[b];
        }

        spelled.AsSpan(0, length).CopyTo(atoms);
        ScratchPool.Return(spelled);
        return length;
    }

    private int WriteBytes(ReadOnlySpan<char> word, Span<int> atoms)
    {
        AtomWriter writer = new(atoms, _options);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in word.EnumerateRunes())
        {
            int length = rune.EncodeToUtf8(utf8);
            for (int i = 0; i < length; i++)
                writer.AddOrUnknown(_ids[utf8[i]]);
        }

        return writer.End();
    }

    private int WriteCharacters(ReadOnlySpan<char> word, Span<int> atoms)
    {
        // With byte-level atoms and a prefix or suffix the stand-ins are the characters.
        if (_options.ByteLevel)
            word = ByteAlphabet.Encode(word);
        AtomWriter writer = new(atoms, _options);
        Span<byte> utf8 = stackalloc byte[4];
        for (int at = 0; at < word.Length;)
        {
            Rune.DecodeFromUtf16(word[at..], out Rune rune, out int consumed);
            bool first = at == 0;
            at += consumed;
            ReadOnlySpan<byte> bytes = utf8[..rune.EncodeToUtf8(utf8)];
            int id = _decorated ? Find(Decorate(rune, first, at == word.Length))
                : rune.IsAscii && !_options.ByteLevel ? _ids[rune.Value] : Allowed(_vocabulary.Find(bytes));
            if (id < 0 && TryFallBack(_decorated ? Encoding.UTF8.GetBytes(Decorate(rune, first, at == word.Length)) : bytes, ref writer))
                continue;
            writer.AddOrUnknown(id);
        }

        return writer.End();
    }

    private bool TryFallBack(scoped ReadOnlySpan<byte> bytes, ref AtomWriter writer)
    {
        foreach (byte b in bytes)
            if (_fallback[b] < 0)
                return false;
        foreach (byte b in bytes)
            writer.AddByte(_fallback[b]);
        return true;
    }

    private string Decorate(Rune rune, bool first, bool last) =>
        (first ? "" : _options.ContinuingPrefix) + rune + (last ? _options.EndSuffix : "");

    private int Find(string content) => Allowed(_vocabulary.Find(Encoding.UTF8.GetBytes(content)));

    private int Allowed(int id) => _special.Contains(id) ? Unknown : id;

    /// <summary>Writes ids and keeps back an unknown token, which may swallow the unknown characters that follow.</summary>
    private ref struct AtomWriter(Span<int> atoms, BpeOptions options)
    {
        private readonly Span<int> _atoms = atoms;
        private int _count;
        private bool _unknownPending;

        public void AddOrUnknown(int id)
        {
            if (id >= 0)
            {
                FlushUnknown();
                _atoms[_count++] = id;
            }
            else if (options.UnknownId >= 0)
            {
                if (!options.FuseUnknown)
                    FlushUnknown();
                _unknownPending = true;
            }
        }

        // A pending unknown token stays pending across bytes: what Hugging Face does, and so what models were trained on.
        public void AddByte(int id) => _atoms[_count++] = id;

        public int End()
        {
            FlushUnknown();
            return _count;
        }

        private void FlushUnknown()
        {
            if (_unknownPending)
                _atoms[_count++] = options.UnknownId;
            _unknownPending = false;
        }
    }
}
