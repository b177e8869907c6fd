"""What each weight format costs in accuracy, ours and llama.cpp's, on the same file, text and positions: mean KL divergence from F32.

    python3 bench/accuracy/run.py --llama-cpp FOLDER [--stories FILE.gguf --stories-text FILE] [--folder FOLDER]

FOLDER holds llama.cpp's programs. Needs the server built (dotnet build src/InferenceServer -c Release). Prints a table in Markdown.
"""
import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import demo_gguf  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "src/InferenceServer/bin/Release/net10.0/InferenceServer.dll"
FORMATS = ["BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0"]
ROW = "| {:<10} | {:<14} | {:>9} | {:>12} | {:>12} | {:>9} | {:>9} |"


def run(*command):
    return subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def figure(output, pattern):
    found = re.search(pattern, output)
    return float(found.group(1)) if found else None


def ours(model, reference, text, *options):
    output = run("dotnet", SERVER, "eval", "--against", "f32", "--device", "cpu", "--model", model, "--reference", reference, "--text", text, *options)
    kl = figure(output, r"mean KL +(\S+)")
    if kl is None:
        return None, None, output.strip().split("error: ")[-1]
    return kl, figure(output, r"same top-1 +(\S+)"), int(figure(output, r"positions +(\S+)"))


def theirs(arguments, model, base, text, *options):
    output = run(arguments.llama_cpp / "llama-perplexity", "-m", model, "-f", text, "-c", 512, "-b", 512, "-t", 2,
                 "-fa", "off", "-ctk", "f32", "-ctv", "f32", "--kl-divergence-base", base, *options)
    return figure(output, r"Mean +KLD: +(\S+)"), figure(output, r"Same top p: +(\S+)"), output


def show(value, form):
    return "-" if value is None else form.format(value)


def compare(arguments, title, f32, text):
    base = f32.with_suffix(".logits")
    theirs(arguments, f32, base, text)
    for name in FORMATS:
        model = f32.with_name(f"{title}-{name.lower()}.gguf")
        run(arguments.llama_cpp / "llama-quantize", f32, model, name)
        kl, top, positions = ours(model, f32, text)
        peer_kl, peer_top, _ = theirs(arguments, model, base, text, "--kl-divergence")
        print(ROW.format(title, name, positions if kl is not None else "refused", show(kl, "{:.2e}"), show(peer_kl, "{:.2e}"), show(top, "{:.2f}"), show(peer_top, "{:.2f}")), flush=True)
        if kl is None:
            print(f"{title} {name}: {positions}", file=sys.stderr)
    for weights in ["bf16", "q8", "q4"]:
        kl, top, positions = ours(f32, f32, text, "--weights", weights)
        print(ROW.format(title, "--weights " + weights, positions, show(kl, "{:.2e}"), "", show(top, "{:.2f}"), ""), flush=True)
    kl, top, positions = ours(f32, f32, text, "--kv-type", "q8")
    print(ROW.format(title, "--kv-type q8", positions, show(kl, "{:.2e}"), "", show(top, "{:.2f}"), ""), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--stories", type=Path, help="stories260K as a GGUF file in F32")
    parser.add_argument("--stories-text", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/inference-server-accuracy"))
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    demo, text = ROOT / "models-manifest/demo", arguments.folder / "facts.txt"
    facts = [json.loads(line) for line in (demo / "train/facts.jsonl").read_text().splitlines()]
    text.write_text("\n".join(f"What is {fact['names'][0]}?\n{fact['answer']}\n" for fact in facts))
    f32 = arguments.folder / "demo-f32.gguf"
    demo_gguf.write(demo, f32)
    print(ROW.format("model", "format", "positions", "our KL", "llama.cpp KL", "our top-1", "its top-1"))
    print(ROW.format(*["---"] * 7))
    compare(arguments, "demo", f32, text)
    if arguments.stories and arguments.stories_text:
        copy = arguments.folder / "stories-f32.gguf"
        copy.write_bytes(arguments.stories.read_bytes())
        compare(arguments, "stories", copy, arguments.stories_text)


if __name__ == "__main__":
    main()
