"""SQLite with blobs of megabytes: prints a digest of what comes back from each way to write and read them."""

import hashlib
import random
import sqlite3
import subprocess

SIZES = [1 << 20, (3 << 20) + 17, 8 << 20, 70_000, 9_000]


def digest(*pieces):
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(piece if isinstance(piece, bytes) else str(piece).encode())
    return f"same sha256 {whole.hexdigest()}"


def say(what, *pieces):
    print(f"{what}: {digest(*pieces)}", flush=True)


def rows(database, query="select id, data from blobs order by id"):
    for row in database.execute(query):
        yield from row


def fill(database):
    chance = random.Random(7)
    database.execute("create table blobs (id integer primary key, data blob, words text)")
    for i, size in enumerate(SIZES * 2):
        database.execute("insert into blobs values (?, ?, ?)", (i, chance.randbytes(size), chance.randbytes(size // 3).hex()))
    database.commit()


def change_in_place(database):
    for i, size in enumerate(SIZES):
        with database.blobopen("blobs", "data", i) as blob:
            for at in range(0, size - 10, 123_457):
                blob[at:at + 10] = b"0123456789"
            blob.seek(size // 2)
            blob.write(bytes(size // 4))
    database.commit()


def by_statements(database, journal):
    """SQL's own functions on large values: concatenation, parts, replacement, comparison, hex; a transaction undone."""
    database.execute("update blobs set data = cast(data || data as blob) where id % 2")
    database.execute("update blobs set words = replace(words, 'a', 'bcd') where length(words) < 4000000")
    database.execute("insert into blobs select id + 100, substr(data, 1000, 500000), hex(substr(data, 1, 1000000)) from blobs")
    database.commit()
    database.execute("update blobs set data = zeroblob(length(data)), words = upper(words)")
    say(f"{journal}, inside of a transaction", *rows(database))
    database.rollback()


def copies(database, journal):
    database.execute("create table more as select * from blobs")
    database.execute("delete from blobs where id % 3 = 0")
    database.commit()
    database.execute("vacuum")
    with sqlite3.connect(f"{journal}-copy.db") as other:
        database.backup(other, pages=500)
    database.execute("pragma journal_mode = delete")  # of another an image in memory cannot be
    image = database.serialize()
    memory = sqlite3.connect(":memory:")
    memory.deserialize(image)
    say(f"{journal}, backup", *rows(other), *rows(other, "select data, words from more order by id"))
    say(f"{journal}, serialized", *rows(memory, "select id, length(data), words, data from more order by id"))
    other.close()
    memory.close()


def by_command(name):
    """The sqlite3 program: files in and out, a dump and what is made of it."""
    with open("file", "wb") as file:
        file.write(random.Random(8).randbytes(12 << 20))
    script = f"""
        create table files (name text, data blob);
        insert into files values ('one', readfile('file')), ('two', cast(readfile('file') || readfile('file') as blob));
        update files set data = zeroblob(5000000) where name = 'three';
        select writefile('out', data) from files where name = 'two';
        select name, length(data), hex(substr(data, 4000000, 100000)) from files;
        pragma integrity_check;
    """
    done = subprocess.run(["sqlite3", name], input=script.encode(), stdout=subprocess.PIPE, check=True)
    with open("out", "rb") as file:
        say("sqlite3, files", done.stdout, file.read())
    dump = subprocess.run(["sqlite3", name, ".dump"], stdout=subprocess.PIPE, check=True).stdout
    again = subprocess.run(["sqlite3", "again.db"], input=dump, stdout=subprocess.PIPE, check=True)
    say("sqlite3, dump", dump, again.stdout)


def main():
    for journal in ("delete", "wal", "memory"):
        database = sqlite3.connect(f"{journal}.db")
        database.execute(f"pragma journal_mode = {journal}")
        database.execute("pragma cache_size = -60000")
        database.execute("pragma synchronous = off")
        fill(database)
        say(f"{journal}, written", *rows(database))
        change_in_place(database)
        say(f"{journal}, changed in place", *rows(database))
        by_statements(database, journal)
        say(f"{journal}, changed by statements", *rows(database))
        copies(database, journal)
        say(f"{journal}, integrity", *rows(database, "pragma integrity_check"))
        database.close()
    by_command("command.db")


main()
