"""Writes UnicodeTables.cs: what Unicode normalization needs, from Python's unicodedata.

Run: python3 UnicodeTables.py > UnicodeTables.cs
"""
import base64
import sys
import unicodedata as u
import zlib

lines = []
start = None
for cp in range(0x110000):
    ccc = u.combining(chr(cp))
    if ccc:
        lines.append(f"{cp:X}#{ccc:X}")
for cp in range(0x110000):
    d = u.decomposition(chr(cp))
    if not d:
        continue
    parts = d.split()
    kind = "="  # composes and decomposes
    if parts[0].startswith("<"):
        kind, parts = "~", parts[1:]  # compatibility
    elif u.normalize("NFC", chr(cp)) != chr(cp):
        kind = "!"  # only decomposes
    lines.append(f"{cp:X}{kind}{' '.join(p.lstrip('0') for p in parts)}")

packed = base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()
rows = [packed[i:i + 150] for i in range(0, len(packed), 150)]
sys.stdout.write(f"""namespace InferenceServer.Text.Tokenizers.Normalizing;

/// <summary>
/// Combining classes and decompositions of Unicode {u.unidata_version}, written by UnicodeTables.py: zlib over lines "code point, kind, value" in hex.
/// Kinds: # combining class, = canonical decomposition, ! one that does not compose back, ~ compatibility decomposition.
/// </summary>
internal static class UnicodeTables
{{
    public const string Packed =
""")
sys.stdout.write(" +\n".join(f'        "{row}"' for row in rows))
sys.stdout.write(";\n}\n")
