"""A disk that loses what was not synced: reads the journal of tests/power_shim.c and writes out the folder as a power
cut at any place of it may leave it.

What POSIX promises and no more: the bytes of a file that fsync() covered, and the names in a folder that an fsync() of
the folder covered. HARSHNESS says what becomes of the rest:
    nothing   all of it is gone: bytes, names, renames, deletions
    names     names are as they were, bytes are gone (what a journal of metadata alone leaves)
    torn      names up to a random moment; of the unsynced bytes, random pages
    all       everything is there, as after kill -9
"""
import os
import random
import struct

HEAD = struct.Struct("<IiqII")
(START, OPEN, CLOSE, DUP, WRITE, TRUNCATE, RENAME, LINK, UNLINK, MKDIR, SYNC_BEGIN, SYNC_END, SYMLINK,
 CHMOD, SYNC_ALL) = range(1, 16)
PAGE = 4096
HARSHNESS = ("nothing", "names", "torn", "all")
TEMPORARY = ("-shm",)  # SQLite's shared memory: written through a map, made anew at the next start


class Node:
    """A file, folder or link: what is on the disk, and what is only in memory yet."""

    def __init__(self, kind, mode=0o600):
        self.kind, self.mode = kind, mode
        self.durable = {} if kind == "folder" else bytearray()
        self.pending = []  # (sequence, change); see Disk
        self.parent = None
        self.names = {}    # a folder's names as the process sees them

    def settle(self, before):
        """An fsync that began at `before`."""
        keep = []
        for sequence, change in self.pending:
            if sequence < before:
                self.apply(self.durable, change)
            else:
                keep.append((sequence, change))
        self.pending = keep

    def apply(self, state, change):
        if self.kind == "folder":
            for name, node in change.items():
                if node is None:
                    state.pop(name, None)
                else:
                    state[name] = node
        else:
            offset, data = change
            if data is None:  # truncated
                del state[offset:]
            if len(state) < offset:
                state.extend(bytes(offset - len(state)))
            if data is not None:
                state[offset:offset + len(data)] = data


def pages(offset, data):
    """The write, cut where pages begin."""
    while data:
        size = min(PAGE - offset % PAGE, len(data))
        yield offset, data[:size]
        offset, data = offset + size, data[size:]


class Disk:
    def __init__(self, folder):
        self.folder, self.root = folder, Node("folder", 0o700)
        self.sequence, self.files, self.syncs = 0, {}, {}
        self.deaf = False  # to show that tests notice: a disk that ignores the fsync of files

    def read_in(self, at=None, node=None):
        """The folder as it lies there, all of it durable: what a start after a power cut finds."""
        at, node = at or self.folder, node or self.root
        for entry in os.scandir(at):
            if entry.name.endswith(TEMPORARY):
                continue
            mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
            kind = "link" if entry.is_symlink() else "folder" if entry.is_dir() else "file"
            inner = node.durable[entry.name] = node.names[entry.name] = Node(kind, mode)
            inner.parent = node
            if kind == "folder":
                self.read_in(entry.path, inner)
            elif kind == "link":
                inner.durable[:] = os.fsencode(os.readlink(entry.path))
            else:
                with open(entry.path, "rb") as file:
                    inner.durable[:] = file.read()

    def settle_tree(self, node, before):
        """syncfs() settles the whole disk; what other services owe to it would go unseen, so only this folder
        and its name count."""
        node.settle(before)
        for inner in list(node.names.values()):
            self.settle_tree(inner, before)

    def find(self, path):
        """The folder that holds `path`, and the name in it."""
        parts = os.path.relpath(os.path.normpath(path), self.folder).split("/")
        node = self.root
        for part in parts[:-1]:
            node = node.names[part]
        return node, parts[-1]

    def name(self, folder, changes):
        """One change of a folder, whole or not at all."""
        folder.pending.append((self.sequence, changes))
        for node in changes.values():
            if node:
                node.parent = folder
        folder.apply(folder.names, changes)

    def open(self, fd, flags, path):
        if os.path.normpath(path) == os.path.normpath(self.folder):
            self.files[fd] = self.root
            return
        folder, name = self.find(path)
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            self.files[fd] = Node("file")
            return
        node = folder.names.get(name)
        if node is None:
            node = Node("file")
            self.name(folder, {name: node})
        self.files[fd] = node
        if flags & os.O_TRUNC:
            node.pending.append((self.sequence, (0, None)))

    def remove(self, path):
        folder, name = self.find(path)
        if name in folder.names:
            self.name(folder, {name: None})

    def rename(self, old, new):
        (a, old), (b, new) = self.find(old), self.find(new)
        node = a.names[old]
        if a is b:
            self.name(a, {old: None, new: node})
        else:
            self.name(b, {new: node})
            self.name(a, {old: None})

    def make(self, path, node):
        folder, name = self.find(path)
        self.name(folder, {name: node})

    def record(self, kind, fd, number, first, second):
        self.sequence += 1
        path = first.decode() if kind in (OPEN, RENAME, LINK, UNLINK, MKDIR, SYMLINK) else None
        if kind == START:
            self.files, self.syncs = {}, {}
        elif kind == OPEN:
            self.open(fd, number, path)
        elif kind == CLOSE:
            self.files.pop(fd, None)
        elif kind == DUP:
            self.files[number] = self.files[fd]
        elif kind == WRITE:
            self.files[fd].pending.append((self.sequence, (number, first)))
        elif kind == TRUNCATE:
            self.files[fd].pending.append((self.sequence, (number, None)))
        elif kind == RENAME:
            self.rename(path, second.decode())
        elif kind == LINK:
            self.make(path, self.files[fd])
        elif kind == UNLINK:
            self.remove(path)
        elif kind == MKDIR:
            self.make(path, Node("folder", number))
        elif kind == SYMLINK:
            link = Node("link")
            link.durable[:] = second
            self.make(path, link)
        elif kind == SYNC_BEGIN:
            self.syncs[number] = (self.files[fd], self.sequence)
        elif kind == SYNC_END:
            node, before = self.syncs.pop(number)
            if not self.deaf or node.kind == "folder":
                node.settle(before)
        elif kind == SYNC_ALL:
            node, before = self.syncs.pop(number)
            self.settle_tree(node, before)
            node.parent.settle(before)
        elif kind == CHMOD:
            self.files[fd].mode = number

    # -- what is left --

    def left_in(self, folder, harshness, moment):
        names = dict(folder.durable)
        for sequence, change in folder.pending:
            if harshness in ("names", "all") or (harshness == "torn" and sequence <= moment):
                folder.apply(names, change)
        return names

    def left_of(self, file, harshness, chance):
        data = bytearray(file.durable)
        for _, (offset, change) in file.pending if harshness in ("torn", "all") else []:
            if harshness == "all":
                file.apply(data, (offset, change))
            elif change is None:
                if chance.random() < 0.5:
                    file.apply(data, (offset, None))
            else:
                for page in pages(offset, change):
                    if chance.random() < 0.5:
                        file.apply(data, page)
        return data

    def write_out(self, target, harshness, seed):
        chance = random.Random(seed)
        # for most cuts few names wait, and the newest matter
        moment = self.sequence - int(chance.random() ** 3 * 2000)

        def write(folder, at):
            os.makedirs(at, exist_ok=True)
            for name, node in self.left_in(folder, harshness, moment).items():
                path = os.path.join(at, name)
                if name.endswith(TEMPORARY):
                    continue
                if node.kind == "folder":
                    write(node, path)
                elif node.kind == "link":
                    os.symlink(bytes(node.durable), path)
                else:
                    with open(path, "wb") as file:
                        file.write(self.left_of(node, harshness, chance))
                    os.chmod(path, node.mode)
            os.chmod(at, folder.mode)
        write(self.root, target)


class Journal:
    """Plays records from the file's beginning; stops where it is told."""

    def __init__(self, path, disk):
        self.file, self.disk, self.position = open(path, "rb"), disk, 0

    def next(self):
        """The record at the position and where it ends; None: the journal is over."""
        self.file.seek(self.position)
        head = self.file.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        kind, fd, number, first, second = HEAD.unpack(head)
        end = self.position + HEAD.size + first + second
        return (kind, fd, number, first, second), end

    def play(self, until):
        """All records that end at or before byte `until`. False: the journal is over."""
        while (record := self.next()) is not None:
            (kind, fd, number, first, second), end = record
            if end > until:
                return True
            data = self.file.read(first + second)
            if len(data) < first + second:
                return False
            self.disk.record(kind, fd, number, data[:first], data[first:])
            self.position = end
        return False

    def ends(self, until):
        """Where the records from here to byte `until` end; the position stays."""
        start, ends = self.position, []
        while (record := self.next()) is not None and record[1] <= until:
            self.position = record[1]
            ends.append(record[1])
        self.position = start
        return ends

    def close(self):
        self.file.close()
