"""Question templates by type of fact: those that train and those that are held out for golden.jsonl."""

TRAIN = {
    "concept": [
        "What {is} {n}?", "What {is} {n}?", "What's {n}?", "What {does} {n} mean?", "Explain {n}.", "Can you explain {n}?", "Define {n}.", "Tell me about {n}.",
        "Tell me what {n} {is}.", "{n}?", "{n}", "Describe {n}.", "What do you know about {n}?", "I don't understand {n}.", "Please explain {n} to me.",
        "What is meant by {n}?", "What is the meaning of {n}?", "How would you describe {n}?", "In one sentence, what {is} {n}?",
        "Give me a short definition of {n}.", "Help me understand {n}.", "What exactly {is} {n}?", "Could you tell me what {n} {is}?",
        "I keep hearing about {n}. What is it?", "A colleague mentioned {n}, what is that?", "How {does} {n} work?", "What {is} {n} for?",
        "Why {does} {n} matter?", "What {is} {n} in LLM serving?", "Who can explain {n}?", "Say something about {n}.", "Give me an explanation of {n}.",
        "I want to learn about {n}.", "Do you know what {n} {is}?", "Do you know {n}?", "What do people mean by {n}?", "What does the term {n} mean?",
        "Explain like I am five: {n}", "The idea of {n}?", "How should I think about {n}?", "Why do I need {n}?", "I read about {n}, what is it about?",
        "What {is} {n} good for?", "Let us talk about {n}.", "Info on {n}", "Is {n} important?", "Would you define {n}?", "Teach me about {n}.",
        "What is the purpose of {n}?", "What is the definition of {n}?", "I have never heard of {n}.", "What should I know about {n}?",
    ],
    "howto": [
        "How do I {n}?", "How do I {n}?", "How can I {n}?", "How to {n}?", "How do you {n}?", "What is the way to {n}?", "I want to {n}.", "I'd like to {n}, how?",
        "Show me how to {n}.", "Tell me how to {n}.", "Can you help me {n}?", "How does one {n}?", "What do I need to do to {n}?",
        "What do I have to do to {n}?", "Which command or option do I need to {n}?", "Is there a way to {n}?", "{n}", "How would I {n}?", "Help me {n}.",
        "What is the easiest way to {n}?", "Can I {n}?", "I need to {n}.", "Explain how to {n}.", "Please tell me how I can {n}.",
        "What must I do to {n}?", "how should i {n}", "Do you know how to {n}?", "I don't know how to {n}.", "What is the best way to {n}?",
        "Is it possible to {n}?", "Could you tell me how to {n}?", "Describe how to {n}.", "Where do I {n}?", "I can't {n}.", "We want to {n}.",
        "How could we {n}?", "My task is to {n}.", "Give me instructions to {n}.", "Let me {n}.", "how 2 {n}",
    ],
    "lookup": [
        "What is {n}?", "What is {n}?", "Tell me {n}.", "What's {n}?", "Which is {n}?", "I need {n}.", "Do you know {n}?", "{n}?", "{n}", "Can you give me {n}?",
        "Please tell me {n}.", "I forgot {n}.", "I am looking for {n}.", "Give me {n}.", "What about {n}?", "Could you tell me {n}?", "I want to know {n}.",
        "Show me {n}.", "Where can I find {n}?", "Say something about {n}.", "Explain {n}.", "Describe {n}.", "Tell me about {n}.",
        "Let me know {n}.", "Can you tell me {n}?", "What would be {n}?", "How do I find {n}?", "I have a question about {n}.", "Info about {n}",
        "Any info on {n}?", "Name {n}.",
    ],
    "error": [
        "What {does} {n} mean?", "What {does} {n} mean?", "Why do I get {n}?", "I got {n}.", "What is {n}?", "The server returned {n}.", "Why does the server answer with {n}?",
        "Explain {n}.", "I keep getting {n}, why?", "What should I do about {n}?", "How do I fix {n}?", "{n}", "{n}?", "Why {n}?", "I see {n}.",
        "Tell me about {n}.", "What can I do against {n}?", "My request failed with {n}.", "Help, {n}!", "What is the reason for {n}?",
        "What does it mean when I get {n}?", "When do I get {n}?", "When does the server send {n}?", "What is the meaning of {n}?", "The answer was {n}.",
        "There is {n} in the response.", "How should my client handle {n}?", "I do not understand {n}.", "Can you explain {n}?", "Define {n}.",
        "Tell me what {n} means.", "The log shows {n}.", "Why does my program get {n}?",
    ],
    "difference": [
        "What is the difference between {n}?", "What is the difference between {n}?", "Compare {n}.", "How do {a} and {b} differ?", "{a} vs {b}", "{a} versus {b}?", "{a} or {b}?",
        "Is {a} the same as {b}?", "Explain the difference between {n}.", "What's the difference between {n}?", "Difference between {n}?",
        "Tell me the difference between {n}.", "Are {a} and {b} the same?", "What distinguishes {a} from {b}?", "I confuse {a} and {b}.",
        "Please compare {a} to {b}.", "How does {a} compare to {b}?", "What makes {a} and {b} different?", "{a} compared to {b}",
        "Which one should I look at, {a} or {b}?", "Do {a} and {b} mean the same?", "Describe the differences between {n}.",
    ],
    "why": [
        "Why is it that {n}?", "Why do people say that {n}?", "Explain why {n}.", "Tell me why {n}.", "What is the reason that {n}?", "How come {n}?",
        "I don't get why {n}.", "Can you explain why {n}?", "Do you know why {n}?", "Is it true that {n}?", "Why {n}?", "I heard that {n}. Why?",
        "It seems that {n}.", "Could you tell me why {n}?", "I noticed that {n}.", "What is the cause when {n}?", "Please explain why {n}.", "{n}, why?",
        "Help me understand why {n}.", "I want to know why {n}.", "How is it possible that {n}?", "I wonder why {n}.",
    ],
    "can": [
        "Does the server {n}?", "Can the server {n}?", "Can it {n}?", "Can InferenceServer {n}?", "Is it possible for the server to {n}?",
        "I wonder if the server can {n}.", "Will the server {n}?", "Can this server {n}?", "Does it {n}?", "Can you {n}?", "Do you {n}?",
        "Does InferenceServer {n}?", "Tell me if the server can {n}.", "Could it {n}?", "I want a server that can {n}.", "Please tell me whether it can {n}.",
        "Is there a way for the server to {n}?", "Does this server {n}?", "I hope it can {n}.", "Can it also {n}?", "Are you able to {n}?", "Could the server {n}?",
    ],
}

HELD = {
    "concept": [
        "Would you mind explaining {n}?", "Give me a quick summary of {n}.", "So {n}, what's the idea?", "I need to know what {n} means.",
        "Remind me what {n} {is}.", "Any idea what {n} {is}?", "Please sum up {n} for a beginner.", "How would an expert define {n}?",
        "What would you say about {n}?", "I am curious about {n}.",
    ],
    "howto": [
        "Any hint on how to {n}?", "What steps let me {n}?", "I'm trying to {n}, what now?", "Could you walk me through how to {n}?",
        "Teach me to {n}.", "Which way is right to {n}?", "Suppose I wish to {n}.",
    ],
    "lookup": ["Could I have {n}, please?", "Remind me of {n}.", "I would love to know {n}.", "Do you happen to know {n}?", "Would you share {n}?"],
    "error": ["My client reports {n}, what happened?", "Suddenly there is {n}. Why?", "What causes {n}?", "Received {n}; what now?", "What could {n} be about?"],
    "difference": ["How is {a} different from {b}?", "In which way do {a} and {b} differ?", "Contrast {a} with {b}.", "What separates {a} from {b}?", "Tell {a} and {b} apart."],
    "why": ["For what reason is it said that {n}?", "Could you clarify why {n}?", "What explains that {n}?", "My boss asks why {n}."],
    "can": ["Is the server able to {n}?", "Would this server {n}?", "Do you know if it can {n}?", "Am I right that the server can {n}?"],
}

# Carriers put together at random, so that the model learns to look at the name and not at the words around it.
VERBS = ("explain;describe;define;clarify;outline;summarize;introduce;illustrate;sketch;break down;go over;talk about;discuss;elaborate on;"
         "shed light on;say a few words on;comment on;give details about;present;interpret;spell out;characterize;cover").split(";")
ASKS = ("{v} {n};please {v} {n};could you {v} {n};can you {v} {n};I would like you to {v} {n};would you please {v} {n};try to {v} {n};"
        "your task: {v} {n};I want you to {v} {n};maybe you can {v} {n};are you able to {v} {n};it would be nice if you could {v} {n};"
        "somebody should {v} {n};would you be so kind and {v} {n};are you willing to {v} {n};start to {v} {n};can you quickly {v} {n};"
        "how would a teacher {v} {n};how do experts {v} {n};how would you {v} {n};would it be ok to {v} {n}").split(";")
TAILS = (";;;;;; briefly; to a newcomer; for me; in two lines; to my team; for a novice; in plain English; with simple words; again; quickly;"
         " in short; for my notes; to a child; to a student; in a few words; once more; so that I get it; from scratch").split(";")
LEADS = ("Give me;I need;I want;Provide;Write;What is;Can I get;Please give me;Show me;Could you give me;Let me see;I am looking for;"
         "Do you have;Is there;Prepare;Send me;Offer").split(";")
NOUNS = ("a summary of;an overview of;a description of;the idea of;the concept of;the role of;the basics of;a brief explanation of;"
         "an introduction to;the main point of;the essence of;some details about;a one-line summary of;the gist of;the story behind;"
         "the thought behind;background on;a note on;a rough picture of;a simple view of;the point of").split(";")
LOOSE = {
    "concept": ("I am interested in {n}.;I wonder what {n} {is}.;I have to understand {n}.;My homework is about {n}.;I am learning about {n}.;"
                "I saw {n} in the docs.;The docs mention {n}.;Someone asked me about {n}.;I am not sure what {n} {is}.;No clue what {n} {is}.;"
                "I forgot what {n} {is}.;I always wondered what {n} {is}.;Need info about {n};And what about {n}?;What is behind {n}?;"
                "What is the deal with {n}?;What is so special about {n}?;Have you heard of {n}?;Where is {n} used?;When do I need {n}?;"
                "Next topic: {n}.;The next word is {n}.;Glossary: {n};{n} means what?;{n}, please.;{n}: explain.;So what {is} {n}?;Ok, but what {is} {n}?;"
                "What on earth {is} {n}?;What in the world {is} {n}?;What can you tell me about {n}?;What would {n} mean?;How is {n} defined?;"
                "How is {n} to be understood?;In a nutshell, {n}?;{n} in a nutshell;About {n}: what should I know?;My question is about {n}.;"
                "I am confused by {n}.;I stumbled over {n}.;People keep talking about {n}.;Everybody mentions {n}.;A friend asks about {n}.").split(";"),
    "howto": ("I have to {n}.;We must {n}.;I plan to {n}.;My goal is to {n}.;I have been asked to {n}.;It is time to {n}.;I would love to {n}.;"
              "Today I want to {n}.;Next I need to {n}.;Is it hard to {n}?;What does it take to {n}?;What is needed to {n}?;Where do I begin to {n}?;"
              "My boss wants me to {n}.;What should I type to {n}?;Give me the steps to {n}.;Which setting do I use to {n}?;What do people do to {n}?;"
              "Do I need anything to {n}?;Someone asked how to {n}.;The right way to {n}?;Instructions to {n};I fail to {n}.;Guide me to {n}.;"
              "How can one {n}?;How can my team {n}?;What would you do to {n}?;How to best {n}?;Any way to {n}?;Please help me to {n}.").split(";"),
    "lookup": ("Where is {n}?;I must know {n}.;May I know {n}?;Can I have {n}?;Please give me {n}.;Could you share it: {n}?;Can you show me {n}?;"
               "I have to find {n}.;Point me to {n}.;I need to know {n}.;I wonder about {n}.;I am asking for {n}.;My question is about {n}.;Can you name {n}?;"
               "Look up {n}.;Find {n}.;Someone asked for {n}.;What might {n} be?;I can't find {n}.;I don't know {n}.;I don't remember {n}.;"
               "Help me find {n}.;{n}, please.;Do the docs say {n}?;Just tell me {n}.;State {n}.").split(";"),
    "error": ("What is behind {n}?;My app shows {n}.;The client got {n}.;I am seeing {n}.;We get {n}.;Why am I seeing {n}?;How do I handle {n}?;"
              "What leads to {n}?;I ran into {n}.;My script stops with {n}.;The request ended with {n}.;What to do with {n}?;How can I avoid {n}?;"
              "How to resolve {n}?;There was {n}.;Is {n} my fault?;Again {n}!;Now I have {n}.;My program says {n}.;Every request gives {n}.;"
              "Where does {n} come from?;What is wrong when I see {n}?;Please explain {n} to me.;I hit {n}.;How should I react to {n}?").split(";"),
    "difference": ("I mix up {a} and {b}.;{a} and {b}: what is the difference?;Where is the difference between {a} and {b}?;Why are there both {a} and {b}?;"
                   "How do I tell {a} from {b}?;How are {a} and {b} related?;Should I use {a} or {b}?;Is there a difference between {a} and {b}?;"
                   "{a}, {b}: same thing?;Put {a} next to {b}.;When {a} and when {b}?;What sets {a} and {b} apart?;Why not {a} instead of {b}?;"
                   "Could you compare {a} with {b}?;Discuss {a} and {b}.;Are {a} and {b} alike?;How far are {a} and {b} different?").split(";"),
    "why": ("The docs say that {n}.;Is there a reason that {n}?;I read that {n}.;Someone told me that {n}.;I don't believe that {n}.;Can it be that {n}?;"
            "Why would it be that {n}?;A colleague asks why {n}.;My question is why {n}.;What is behind it that {n}?;People complain that {n}.;"
            "Describe why {n}.;Give me the reason why {n}.;Please clarify: why is it that {n}?;Why do you think {n}?;It surprises me that {n}.").split(";"),
    "can": ("I need it to {n}.;Is it made to {n}?;Will it {n}?;Should it {n}?;Has it been built to {n}?;We want it to {n}.;Is this thing able to {n}?;"
            "Is InferenceServer able to {n}?;Does your server {n}?;Can your server {n}?;Am I able to {n} with it?;Do you know whether the server can {n}?;"
            "Does anybody know if it can {n}?;Would it {n}?;Can I use it to {n}?;May I ask if it can {n}?;Is there any chance that it can {n}?;"
            "Someone said the server can {n}.;Please check if it can {n}.").split(";"),
}
FILLERS = ("well;so;just;maybe;really;today;again;the;a;my;please;now;then;quick;some;this;that;actually;basically;here;small;new;other;"
           "thing;topic;word;question;sir;friend;somehow;kind;sort;simply;possibly;question about;and;or;but;also;first;next;one").split(";")


def carrier(rng, kind):
    """A random template for a fact of this kind."""
    if kind == "concept" and rng.random() < 0.7:
        if rng.random() < 0.6:
            text = rng.choice(ASKS).replace("{v}", rng.choice(VERBS)) + rng.choice(TAILS)
        else:
            text = f"{rng.choice(LEADS)} {rng.choice(NOUNS)} {{n}}{rng.choice(TAILS)}"
        text = text[0].upper() + text[1:] + rng.choice(["?", ".", ""])
    else:
        text = rng.choice(LOOSE[kind])
    return disturb(rng, text) if rng.random() < 0.35 else text


def disturb(rng, template):
    """Drops, adds or replaces one or two words of a template, never its placeholders."""
    words = template.split(" ")
    for _ in range(rng.choice([1, 1, 2, 3])):
        i = rng.randrange(len(words))
        action = rng.choice(["drop", "add", "add", "replace"])
        if action == "add":
            words.insert(i, rng.choice(FILLERS))
        elif "{" not in words[i] and len(words) > 2:
            words[i:i + 1] = [] if action == "drop" else [rng.choice(FILLERS)]
    return " ".join(words)
