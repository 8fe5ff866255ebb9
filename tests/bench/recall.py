#!/usr/bin/env python3
"""How much of what fits is among the first ten that the index of memories finds, against plain BM25.

    cargo build --release --example bench-recall
    pip install rank_bm25
    tests/bench/recall.py FOLDER
    tests/bench/recall.py FOLDER --whole target/release/knowlyr-crew

With `--whole`, each entry is added by `add_memory` and each question asked by `search_memory`, of that program over stdio;
with `--embedder URL`, memories are also found by what they mean to that server, which speaks as OpenAI's does.
FOLDER holds what was fetched of these, each in the form it is given away in; what is not there is left out:

    scifact/    corpus.jsonl, queries.jsonl and qrels/test.tsv of BEIR
                (or corpus_train.csv, queries.jsonl and test.tsv)
    cranfield/  cran.all.1400.xml, cran.qry.xml, cranqrel.trec.txt
    cisi/       CISI.ALL, CISI.QRY, CISI.REL
    npl/        doc-text, query-text, rlv-ass
    locomo/     locomo10.json: long talks of two people, a turn an entry, and questions about them

Plain BM25 is `BM25Okapi` of rank_bm25 over lower-cased words. Exits with 1 when the mean over the collections is not at
least a tenth above it, or when less than 0.60 of what talks hold is found.
"""

import argparse, csv, json, pathlib, re, subprocess, sys, tempfile, time
from collections import defaultdict

from rank_bm25 import BM25Okapi

sys.dont_write_bytecode = True

import processes

PROGRAM = pathlib.Path(__file__).parents[2] / "target/release/examples/bench-recall"
csv.field_size_limit(10**9)


def by_question(pairs):
    wanted = defaultdict(list)
    for question, entry in pairs:
        wanted[question].append(entry)
    return wanted


def collection(name, entries, questions, wanted):
    known = set(entries)
    asked = [(text, [e for e in wanted[number] if e in known]) for number, text in questions.items() if number in wanted]
    return {"name": name, "entries": list(entries.items()), "questions": [q for q in asked if q[1]]}


def scifact(folder):
    if (folder / "corpus.jsonl").exists():
        rows = map(json.loads, open(folder / "corpus.jsonl"))
        entries = {r["_id"]: r["title"] + "\n" + r["text"] for r in rows}
    else:
        entries = {}
        for r in csv.DictReader(open(folder / "corpus_train.csv")):
            quoted = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", r["abstract"])
            entries[r["doc_id"]] = r["title"] + "\n" + " ".join(a or b for a, b in quoted)
    questions = {str(r["_id"]): r["text"] for r in map(json.loads, open(folder / "queries.jsonl"))}
    judged = next(folder.rglob("test.tsv")).read_text().splitlines()[1:]
    rows = (line.split("\t") for line in judged)
    yield collection("scifact", entries, questions, by_question((q, e) for q, e, score in rows if int(score) > 0))


def cranfield(folder):
    def inside(tag, text):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        return found[1].strip() if found else ""

    documents = re.findall(r"<doc>(.*?)</doc>", (folder / "cran.all.1400.xml").read_text(), re.S)
    entries = {inside("docno", d): inside("title", d) + "\n" + inside("text", d) for d in documents}
    topics = re.findall(r"<top>(.*?)</top>", (folder / "cran.qry.xml").read_text(), re.S)
    questions = {str(number): inside("title", topic) for number, topic in enumerate(topics, 1)}
    rows = (line.split() for line in open(folder / "cranqrel.trec.txt"))
    judged = by_question((r[0], r[2]) for r in rows if len(r) > 3 and int(r[3]) > 0)
    yield collection("cranfield", entries, questions, judged)


def cisi(folder):
    def items(name):
        text = (folder / name).read_text(errors="replace")
        for item in re.finditer(r"^\.I (\d+)\n(.*?)(?=^\.I |\Z)", text, re.S | re.M):
            fields = re.findall(r"^\.([TW])\n(.*?)(?=^\.[A-Z]\n|\Z)", item[2], re.S | re.M)
            yield item[1], "".join(text for _, text in fields)

    rows = (line.split() for line in open(folder / "CISI.REL"))
    judged = by_question((r[0], r[1]) for r in rows)
    yield collection("cisi", dict(items("CISI.ALL")), dict(items("CISI.QRY")), judged)


def npl(folder):
    def items(name):
        for item in re.split(r"\n\s*/\s*\n", (folder / name).read_text()):
            number, _, text = item.strip().partition("\n")
            if number.strip().isdigit():
                yield number.strip(), text

    judged = {number: text.split() for number, text in items("rlv-ass")}
    questions = {number: text.lower() for number, text in items("query-text")}
    yield collection("npl", dict(items("doc-text")), questions, judged)


def locomo(folder):
    for number, talk in enumerate(json.load(open(folder / "locomo10.json"))):
        entries = {}
        for key, turns in talk["conversation"].items():
            for turn in turns if re.fullmatch(r"session_\d+", key) else []:
                entries[turn["dia_id"]] = turn["text"]
        questions, judged = {}, {}
        for at, question in enumerate(talk["qa"]):
            questions[str(at)] = question["question"]
            judged[str(at)] = re.findall(r"D\d+:\d+", " ".join(question["evidence"]))
        yield collection(f"locomo-{number}", entries, questions, judged)


def plain(entries, questions):
    words = lambda text: re.findall(r"\w+", text.lower())
    ids = [e for e, _ in entries]
    index = BM25Okapi([words(text) for _, text in entries])
    total = 0
    for text, wanted in questions:
        scores = index.get_scores(words(text))
        first = sorted(range(len(ids)), key=lambda at: -scores[at])[:10]
        total += len({ids[at] for at in first} & set(wanted)) / len(set(wanted))
    return total / len(questions)


def indexed(collections, program):
    """What the index finds."""
    with tempfile.TemporaryDirectory() as folder:
        lines = "".join(json.dumps(c) + "\n" for c in collections)
        done = subprocess.run([program, folder], input=lines, capture_output=True, text=True, check=True)
    return map(json.loads, done.stdout.splitlines())


def told(collections, program, embedder):
    """What the whole program tells an editor."""
    for c in collections:
        with tempfile.TemporaryDirectory() as folder:
            project = processes.project(pathlib.Path(folder), 1)
            if embedder:
                named = {"provider": "openai", "model": "embedder", "base_url": embedder, "timeout_seconds": 10}
                (pathlib.Path(folder) / ".crew/config.yaml").write_text(json.dumps({"memory": {"embedder": named}}))
            index = lambda: subprocess.run([program, "memory", "index", "-d", project], check=True, capture_output=True)
            with processes.Stdio([program, "mcp", "-d", project]) as server:
                server.greet()
                yield {"questions": len(c["questions"]), **asked(server, c, index)}


def asked(server, collection, index):
    def tool(tool, **arguments):
        answer = server.call("tools/call", {"name": tool, "arguments": {"employee": "employee-0", **arguments}})
        if answer.get("isError"):
            raise SystemExit(f"{tool}: {answer}")
        return answer["structuredContent"]

    entries = {}
    for entry, text in collection["entries"]:
        if text.strip():
            entries[tool("add_memory", category="finding", content=text)["id"]] = entry
    index()
    total, begin = 0, time.perf_counter()
    for text, wanted in collection["questions"]:
        found = {entries[hit["id"]] for hit in tool("search_memory", query=text)["memories"]}
        total += len(found & set(wanted)) / len(set(wanted))
    count = len(collection["questions"])
    return {"recall": total / count, "search_ms": (time.perf_counter() - begin) * 1e3 / count}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=pathlib.Path)
    words.add_argument("program", nargs="?", default=PROGRAM)
    words.add_argument("--whole", metavar="PROGRAM")
    words.add_argument("--embedder", metavar="URL")
    words = words.parse_args()
    root = words.folder
    readers = [scifact, cranfield, cisi, npl, locomo]
    collections = [c for read in readers if (root / read.__name__).is_dir() for c in read(root / read.__name__)]
    answers = told(collections, words.whole, words.embedder) if words.whole else indexed(collections, words.program)
    sums = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for c, answer in zip(collections, answers):
        count, name = answer["questions"], c["name"].partition("-")[0]
        more = (count, count * answer["recall"], count * plain(c["entries"], c["questions"]), count * answer["search_ms"])
        sums[name] = [a + b for a, b in zip(sums[name], more)]
    print(f"{'':12}{'questions':>10}{'plain BM25':>12}{'index':>8}{'':>3}{'times':>6}{'ms/search':>11}")
    ours = theirs = 0
    for name, (count, recall, baseline, ms) in sums.items():
        ours, theirs = ours + recall / count, theirs + baseline / count
        print(f"{name:12}{count:10}{baseline / count:12.3f}{recall / count:8.3f}{'':>3}{recall / baseline:6.2f}{ms / count:11.2f}")
    print(f"{'mean':12}{'':10}{theirs / len(sums):12.3f}{ours / len(sums):8.3f}{'':>3}{ours / theirs:6.2f}")
    talks = sums.get("locomo")
    sys.exit(ours < theirs * 1.1 or bool(talks) and talks[1] < 0.6 * talks[0])


main()
