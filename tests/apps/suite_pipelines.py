"""GNU sort and its neighbours on files of some 100 MiB: prints a digest of what each pipeline makes."""

import hashlib
import random
import subprocess

LINES = 1_500_000

# In bash, in a folder with the files words (lines of numbers and letters), twice (words, some lines of it twice) and noise (bytes).
PIPELINES = [
    "sort -S 32M words",
    "sort -S 300M words",
    "sort -S 64M --parallel=2 -k2,2n -k1,1r words",
    "sort -S 100M -s -k3 words | tail -n 100000",
    "sort -S 50% -u twice",
    "sort -S 64M -z noise",
    "sort -S 64M twice | uniq -c | sort -S 64M -rn | sed -n 1,5000p",
    "sort -S 64M -o words.sorted words; sort -S 64M -u -o twice.sorted twice; sort -S 16M -m words.sorted twice.sorted",
    "comm -3 <(sort -u words) <(sort -u twice)",
    "join -1 1 -2 1 <(sort -u -k1,1 words) <(sort -u -k1,1 twice)",
    "tac words",
    "rev words | cut -c 1-20 | paste -d, - - -",
    "shuf --random-source=noise words",
    "split -b 5M words part. && cat part.* && rm part.*",
    "csplit -s -z words 100000 '{13}' && cat xx* | wc && rm xx*",
    "tr a-z A-Z <words | fold -w 33 | sort -S 20M | uniq -d",
    "dd if=noise bs=4M status=none | dd bs=12345 status=none | dd bs=1M conv=swab status=none",
    "dd if=noise of=copy bs=16M conv=fsync status=none && cmp noise copy && cat copy",
    "cat noise noise noise | tail -c 40M",
    "od -A x -t x8z -v noise | tail -n 300000",
    "base64 noise | base64 -d | cmp - noise",
    "gzip -1 <words | gunzip",
    "xz -0 -T1 <noise | xz -d",
    "tar -c words noise | tar -x -O",
    "awk '{ n[$2 % 997] += $2; last[$1] = $3 } END { for (i in n) print i, n[i]; for (i in last) s += length(last[i]); print s }' words | sort",
    "sed -n 's/\\([0-9]*\\) .*7\\(.*\\)/\\2\\1/p' words",
    "grep -c e3 words; grep -v 1 words; grep -E '([0-9])\\1{3}' words",
    "diff <(head -n 200000 words) <(head -n 200000 twice)",
    "nl words | expand | pr -2 -t | tail -n 100000",
    "sha256sum noise words; md5sum noise; cksum noise",
    "bash -c 'x=$(head -c 20M words); y=$x$x; z=${y:1000000:5000000}; printf %s \"$y\" \"$z\"'",
    "perl -e 'local $/; $x = <STDIN>; $y = $x; substr($y, 5000000, 5) = q(12345); $z = $y x 2; print $x, $z' <words",
]


def make_files():
    chance = random.Random(20260101)
    digits = chance.randbytes(8 * LINES).hex()
    lines = [f"{i * 7919 % LINES} {int(digits[16 * i:16 * i + 9], 16)} {digits[16 * i:16 * i + 16] * (1 + i % 5)}\n" for i in range(LINES)]
    with open("words", "w") as file:
        file.writelines(lines)
    with open("twice", "w") as file:
        for i in range(0, LINES, 3):
            file.writelines(lines[i:i + 1 + i % 2] * (1 + i % 3))
    with open("noise", "wb") as file:
        file.write(chance.randbytes(32 << 20))


def main():
    make_files()
    for number, line in enumerate(PIPELINES):
        program = subprocess.Popen(["bash", "-o", "pipefail", "-c", line], stdout=subprocess.PIPE)
        digest = hashlib.sha256()
        size = 0
        while piece := program.stdout.read(1 << 20):
            digest.update(piece)
            size += len(piece)
        print(f"{number}, {line.replace(': ', ':')}: done status {program.wait()}, {size} bytes, sha256 {digest.hexdigest()}", flush=True)


main()
