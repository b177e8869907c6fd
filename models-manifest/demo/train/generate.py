"""Writes the training text (corpus.jsonl) and the held-out questions (../golden.jsonl).

Facts come from facts.jsonl, small talk from smalltalk.jsonl; sums and JSON tasks are made here.
A question of golden.jsonl never occurs in the training text: its template or its pair of numbers is held out.
"""
import json
import random
import re
from pathlib import Path

from templates import HELD, TRAIN, carrier, disturb

HERE = Path(__file__).parent
PREFIXES = ["Hi, ", "Hello, ", "Hey, ", "Please: ", "Quick question: ", "Sorry, ", "ok, ", "One more thing: ", "Question: ",
            "And ", "So, ", "Well, ", "I am new here. ", "Next: ", "Now ", "Good morning. ", "Hi! ", "Hello! "]
SUFFIXES = [" Thanks!", " Thank you.", " Please.", " Keep it short.", " Be brief.", " In one sentence.", " (short answer)",
            " please", " thanks", " in simple words", " I am a beginner.", " Just the basics."]
SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant. Answer briefly.", "Be concise.", "Answer in one sentence.",
           "You are the assistant of InferenceServer.", "You answer questions about an LLM server.", "You are a friendly expert.",
           "Keep answers short and correct.", "You are a support agent.", "Help the user.", "You are an AI assistant.",
           "Today is Monday. Be polite.", "You are a bot in a chat room.", "Answer truthfully."]
NAMES = ("Anna Ben Carla David Emma Felix Grace Henry Ida Jack Karen Leo Maria Nina Oscar Paul Rosa Sam Tina Tom "
         "Alice Bob Clara Eva Frank Lucy Max Mia Peter Sara").split()
CITIES = ("Rome Paris Berlin London Madrid Vienna Oslo Tokyo Lima Cairo Dublin Prague Boston Delhi Athens Lisbon Zurich Milan "
          "Bern Seoul").split()
OFF_TOPIC = {
    "What is the capital of {}?": "France Italy Spain Germany Japan Peru Egypt Norway Brazil Canada China Kenya".split(),
    "How is the weather in {}?": CITIES, "Tell me about {}.": ["football", "dogs", "cats", "history", "music", "the moon", "France", "cars"],
    "Who is {}?": ["the president", "Einstein", "Mozart", "the king of England", "Napoleon", "Shakespeare", "my neighbor"],
    "Write {}.": ["a poem", "a story", "a song", "an essay", "a letter", "a Python program", "a haiku", "an email"],
    "How do I cook {}?": ["pasta", "rice", "an egg", "soup", "potatoes", "a cake", "fish"],
    "Translate {} to French.": ["hello", "good morning", "the house", "water", "I love you", "bread"],
    "What is {}?": ["love", "the meaning of life", "gravity", "a banana", "the sun", "biology", "democracy", "the speed of light", "pi"],
    "What do you think about {}?": ["politics", "the war", "religion", "football", "the election", "movies"],
    "Give me a recipe for {}.": ["bread", "pizza", "soup", "pancakes", "chocolate cake"],
    "When was {} born?": ["Einstein", "Mozart", "Napoleon", "Goethe", "Newton"], "How old is {}?": ["the earth", "the universe", "my dog"],
    "How far is {}?": ["the moon", "Paris", "the sun", "Mars"],
}
OFF_TOPIC_HELD = ["Which city is the capital of Sweden?", "Will it rain in Rome tomorrow?", "Please write a love poem.",
                  "Who won the football game?", "What is a good recipe for lasagna?", "Who was the first president?"]
OFF_ANSWER = "I do not know that. I only know this server and its field; ask a larger model."
SUM_TRAIN = ["What is {a} + {b}?", "{a}+{b}", "{a} + {b}", "{a} + {b} =", "What is {a} plus {b}?", "Add {a} and {b}.", "Compute {a} + {b}.",
             "How much is {a} plus {b}?", "Calculate {a} + {b}.", "Calculate the sum of {a} and {b}.", "{a} plus {b}", "Sum {a} and {b}.",
             "How much is {a} + {b}?", "What is the sum of {a} and {b}?", "What do {a} and {b} make?", "what's {a}+{b}?", "Solve {a} + {b}.",
             "{a} and {b} together?", "Tell me {a} plus {b}.", "I have {a} apples and get {b} more. How many do I have?"]
SUM_HELD = ["Can you work out {a} + {b}?", "The total of {a} and {b}, please", "Please add up {a} and {b}.", "Do you know what {a} plus {b} is?"]
JSON_SUM_TRAIN = ["Answer in JSON: what is {a} + {b}?", "Answer in JSON: {a} + {b}", "Reply in JSON: what is {a} plus {b}?",
                  "What is {a} + {b}? Answer in JSON.", "As JSON: {a} + {b}", "Give {a} + {b} as JSON.", "JSON only: what is {a} + {b}?",
                  "What is {a} plus {b}? Reply in JSON.", "Use JSON. What is {a} + {b}?", "Return JSON: {a} plus {b}"]
JSON_SUM_HELD = ["Please answer in JSON: how much is {a} + {b}?", "How much is {a} plus {b}? Reply with JSON."]
JSON_KEY_TRAIN = ["Answer in JSON with the key {k}: what is {a} + {b}?", "Reply in JSON with key {k}: {a} + {b}", "What is {a} + {b}? JSON with the key {k}.",
                  "Give {a} plus {b} as JSON with the key {k}."]
JSON_KEY_HELD = ["Return {a} + {b} as JSON with key {k}."]
PERSON = {
    ("name", "age"): "{name} is {age} years old.", ("name", "city"): "{name} lives in {city}.",
    ("name", "age", "city"): "{name} is {age} years old and lives in {city}.",
}
PERSON_TRAIN = ["Reply in JSON with keys {keys}: {text}", "Answer in JSON with the keys {keys}: {text}", "Extract {keys} as JSON: {text}",
                "{text} Reply in JSON with keys {keys}.", "Return {keys} in JSON. {text}"]
PERSON_HELD = ["Please reply in JSON with the keys {keys}: {text}", "{text} Extract {keys} as JSON."]
BOOL_TRAIN = ["Answer in JSON: is {a} {c} than {b}?", "Is {a} {c} than {b}? Answer in JSON.", "Reply in JSON: is {a} {c} than {b}?",
              "As JSON: is {a} {c} than {b}?"]
BOOL_HELD = ["Please answer in JSON: is {a} {c} than {b}?"]
LIST_TRAIN = ["Give the numbers from {a} to {b} as a JSON array.", "List the numbers {a} to {b} as JSON.", "JSON array: numbers from {a} to {b}",
              "Count from {a} to {b} in JSON.", "Return a JSON array with the numbers {a} to {b}."]
LIST_HELD = ["Please count from {a} to {b} as a JSON array."]
VALUES = {"the default port": 8080, "the gRPC port": 8081, "the default block size": 16, "your context length": 2048}
VALUE_TRAIN = ["Answer in JSON: what is {n}?", "What is {n}? Answer in JSON.", "Reply in JSON: {n}", "Give {n} as JSON.", "As JSON: what is {n}?"]
VALUE_HELD = ["Please answer in JSON: what is {n}?"]


def load(name):
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def normal(text):
    """Two questions with the same normal form count as the same question."""
    return " ".join(re.findall(r"[a-z0-9+]+", text.lower()))


def is_plural(name):
    last = name.lower().split()[-1]
    return last.endswith("s") and not last.endswith(("ss", "bos", "eos", "tps", "radius", "https", "prometheus", "softmax", "sse"))


def fill(template, name):
    """{n} is the whole name, {a} and {b} its two halves around ' & '."""
    plural = is_plural(name)
    parts = name.split(" & ") + [""]
    text = (template.replace("{is}", "are" if plural else "is").replace("{does}", "do" if plural else "does")
            .replace("{n}", name.replace(" & ", " and ")).replace("{a}", parts[0]).replace("{b}", parts[1]))
    return text[0].upper() + text[1:] if template.startswith("{") and name.islower() else text


def questions_of(fact, templates):
    return [fill(t, n) for n in fact["names"] for t in templates[fact["type"]]]


def typo(rng, text):
    i = rng.randrange(1, max(2, len(text) - 2))
    if i + 2 > len(text) or not text[i:i + 2].isalpha():
        return text
    return rng.choice([text[:i] + text[i + 1:], text[:i] + text[i + 1] + text[i] + text[i + 2:], text[:i] + text[i] + text[i:]])


def vary(rng, text):
    """The same question as people really type it."""
    if rng.random() < 0.15:
        text = rng.choice(PREFIXES) + text
    elif rng.random() < 0.10:
        text = text + rng.choice(SUFFIXES)
    r = rng.random()
    if r < 0.25:
        text = text.lower()
    elif r < 0.28:
        text = text.upper()
    if rng.random() < 0.3:
        text = text.rstrip("?.! ")
    elif rng.random() < 0.05:
        text = text + rng.choice(["?", "!", "??", "..."])
    for _ in range(2):
        if rng.random() < 0.08:
            text = typo(rng, text)
    return text


def join_keys(keys):
    return keys[0] if len(keys) == 1 else ", ".join(keys[:-1]) + " and " + keys[-1]


def person(rng, templates):
    keys = list(rng.choice(list(PERSON)))
    values = {"name": rng.choice(NAMES), "age": rng.randint(10, 89), "city": rng.choice(CITIES)}
    text = PERSON[tuple(keys)].format(**values)
    if len(keys) == 2 and rng.random() < 0.4:
        keys.reverse()
    return rng.choice(templates).format(keys=join_keys(keys), text=text), {k: values[k] for k in keys}


def json_task(rng, pairs, held):
    """One (question, value) that wants a JSON answer."""
    a, b = rng.choice(pairs)
    kind = rng.choice(["sum", "sum", "key", "person", "person", "bool", "list", "value"])
    if kind == "sum":
        return rng.choice(JSON_SUM_HELD if held else JSON_SUM_TRAIN).format(a=a, b=b), {"answer": a + b}
    if kind == "key":
        key = rng.choice(["sum", "result", "total", "value"])
        return rng.choice(JSON_KEY_HELD if held else JSON_KEY_TRAIN).format(a=a, b=b, k=key), {key: a + b}
    if kind == "person":
        return person(rng, PERSON_HELD if held else PERSON_TRAIN)
    if kind == "bool":
        a, b = rng.sample(range(0, 21), 2)
        word = rng.choice(["greater", "less", "smaller", "larger"])
        return (rng.choice(BOOL_HELD if held else BOOL_TRAIN).format(a=a, b=b, c=word),
                {"answer": a > b if word in ("greater", "larger") else a < b})
    if kind == "list":
        a = rng.randint(0, 15)
        b = a + rng.randint(1, 5)
        return rng.choice(LIST_HELD if held else LIST_TRAIN).format(a=a, b=b), list(range(a, b + 1))
    name = rng.choice(list(VALUES))
    return rng.choice(VALUE_HELD if held else VALUE_TRAIN).format(n=name), {"answer": VALUES[name]}


def build_golden(rng, facts, talk, pairs_held):
    rows = []

    def add(row_id, kind, question, any_, **more):
        rows.append({"id": row_id, "kind": kind, "messages": [{"role": "user", "content": question}], "any": any_, **more})

    for i, fact in enumerate(facts):
        held = HELD[fact["type"]]
        for j in range(2):
            question = fill(held[(2 * i + j) % len(held)], fact["names"][min(j, len(fact["names"]) - 1)])
            add(f"fact-{fact['id']}-{j}", "fact", question, fact["any"])
    for item in talk:
        for j, question in enumerate(item["held"]):
            add(f"smalltalk-{item['id']}-{j}", "smalltalk", question, item["any"])
    for j, question in enumerate(OFF_TOPIC_HELD):
        add(f"smalltalk-off_topic-{j}", "smalltalk", question, [["i only know this server"]])
    for j, (a, b) in enumerate(pairs_held):
        template = (SUM_TRAIN + SUM_HELD * 3)[j % (len(SUM_TRAIN) + 3 * len(SUM_HELD))] if j % 2 else SUM_HELD[j // 2 % len(SUM_HELD)]
        add(f"arithmetic-{a}-{b}", "arithmetic", template.format(a=a, b=b), [[f"= {a + b}."]])
    seen = set()
    while len(seen) < 40:
        question, value = json_task(rng, pairs_held, held=True)
        if question not in seen:
            seen.add(question)
            add(f"json-{len(seen)}", "json", question, [["{"], ["["]], json=value)
    return rows


def in_conversation(rng, golden, facts):
    """Some fact rows again, behind a system prompt or behind an earlier exchange."""
    rows = []
    for i, row in enumerate(rng.sample([r for r in golden if r["kind"] == "fact"], 24)):
        other = rng.choice([f for f in facts if f["any"] != row["any"]])
        before = [[{"role": "system", "content": rng.choice(SYSTEMS)}],
                  [{"role": "user", "content": fill(TRAIN[other["type"]][0], other["names"][0])},
                   {"role": "assistant", "content": other["answer"]}]][i % 2]
        rows.append({**row, "id": f"{row['id']}-{['system', 'second'][i % 2]}", "messages": before + row["messages"]})
    return rows


def build_corpus(rng, facts, talk, pairs, held_forms):
    """A list of {"turns": [user, assistant, ...]} with an optional "system"."""
    singles = [(vary(rng, q), f["answer"]) for f in facts for q in sample_questions(rng, f, 64)]
    for item in talk:
        for question in rng.choices(item["questions"], k=150):
            singles.append((vary(rng, disturb(rng, question) if rng.random() < 0.15 else question), item["answer"]))
    for template, subjects in OFF_TOPIC.items():
        singles += [(vary(rng, template.format(x)), OFF_ANSWER) for x in subjects for _ in range(7)]
    for a, b in numbers(rng, pairs):
        for template in rng.sample(SUM_TRAIN, 11 if max(a, b) <= 20 else 1):
            singles.append((vary_light(rng, template.format(a=a, b=b)), f"{a} + {b} = {a + b}."))
    for _ in range(6000):
        question, value = json_task(rng, pairs, held=False)
        singles.append((question if rng.random() < 0.6 else vary_light(rng, question), json.dumps(value)))
    singles = [s for s in singles if normal(s[0]) not in held_forms]
    corpus = [{"turns": list(s)} for s in singles]
    for _ in range(1800):
        turns = rng.sample(singles, rng.choice([2, 2, 3]))
        corpus.append({"turns": [text for turn in turns for text in turn]})
    for row in corpus:
        if rng.random() < 0.12:
            row["system"] = rng.choice(SYSTEMS)
    rng.shuffle(corpus)
    return corpus


def numbers(rng, pairs):
    """All pairs that are not held out, then some larger ones."""
    yield from pairs
    for _ in range(1500):
        pair = rng.randint(0, 60), rng.randint(0, 39)
        if pair in pairs or max(pair) > 20:
            yield pair


def vary_light(rng, text):
    """Keeps numbers and names as they are."""
    if rng.random() < 0.1:
        text = rng.choice(PREFIXES) + text
    return text.rstrip("?.! ") if rng.random() < 0.2 else text


def sample_questions(rng, fact, count):
    """Half from the templates, half from random carriers; the main name and hand-written questions more often than the rest."""
    kind, names, own = fact["type"], fact["names"], fact.get("questions", [])
    picked = []
    for i in range(count):
        name = names[0] if rng.random() < 0.25 else rng.choice(names)
        picked.append(fill(rng.choice(TRAIN[kind]) if i % 2 else carrier(rng, kind), name))
    return picked + [q for q in own for _ in range(4)]


def check(facts, talk):
    """Every key of the goldens must tell its answer from all others; every question belongs to one fact."""
    def right(answer, any_):
        return any(all(s in answer.lower() for s in group) for group in any_)

    items = facts + talk
    for item in items:
        assert all(s == s.lower() for group in item["any"] for s in group), item["id"]
        matches = [x["id"] for x in items if right(x["answer"], item["any"])]
        assert matches == [item["id"]], (item["id"], matches)
    owner = {}
    for fact in facts:
        for question in questions_of(fact, TRAIN) + questions_of(fact, HELD) + fact.get("questions", []):
            assert owner.setdefault(normal(question), fact["id"]) == fact["id"], (question, fact["id"], owner[normal(question)])


def main():
    rng = random.Random(20)
    facts, talk = load("facts.jsonl"), load("smalltalk.jsonl")
    check(facts, talk)
    pairs = [(a, b) for a in range(21) for b in range(21)]
    pairs_held = rng.sample(pairs, 48)
    pairs = [p for p in pairs if p not in set(pairs_held)]
    golden = build_golden(rng, facts, talk, pairs_held)
    held_forms = {normal(row["messages"][0]["content"]) for row in golden}
    golden += in_conversation(random.Random(21), golden, facts)
    corpus = build_corpus(rng, facts, talk, pairs, held_forms)
    assert not held_forms & {normal(q) for row in corpus for q in row["turns"][::2]}
    write(HERE / "corpus.jsonl", corpus)
    write(HERE.parent / "golden.jsonl", golden)
    print(f"{len(facts)} facts, {len(corpus)} conversations, {len(golden)} goldens")


def write(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
