"""How much memory processes take together. Pages of files (libraries, networks) that several of them map are there once; Pss would
hide those that programs beside them map too, the sum of Rss would count them twice."""
import pathlib


def mappings(pid):
    """[(what, KiB of files, KiB anonymous)]; what: the file and the place in it, or "" for what has none."""
    rows, what, size = [], "", {}
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines() + ["end"]:
        words = line.split()
        if words[0].endswith(":"):
            if words[1].isdigit():
                size[words[0]] = int(words[1])
            continue
        if size:
            anonymous = size["Anonymous:"]
            rows.append((what, size["Rss:"] - anonymous, anonymous))
        what, size = (words[5] + "@" + words[2] if len(words) > 5 and words[5].startswith("/") else ""), {}
    return rows


def together(pids):
    """MB of all of them: {"total", "anonymous", "files"}. A file's part counts as often as the process that has most of it."""
    files, anonymous = {}, 0
    for pid in pids:
        own = {}
        for what, file, rest in mappings(pid):
            anonymous += rest
            own[what] = own.get(what, 0) + file
        for what, file in own.items():
            files[what] = max(files.get(what, 0), file)
    return {"total": (anonymous + sum(files.values())) / 1024, "anonymous": anonymous / 1024, "files": sum(files.values()) / 1024}
