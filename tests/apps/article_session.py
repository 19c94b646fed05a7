"""Types files of Python into a session, line by line, as a user would: article_session.py FILE...

The files are not changed and know nothing of us. Each line is one step; values of expressions are printed.
"""

import ast
import itertools
import sys

from steps import done


def main():
    session = {"__name__": "__main__"}
    for path in sys.argv[1:]:
        for line, code in lines_of(path):
            exec(code, session)
            done(line)


def lines_of(path):
    """The lines of a file, as text and as code that prints its values (which is what "single" means)."""
    with open(path) as file:
        source = file.read()
    text = source.splitlines()
    for first, nodes in itertools.groupby(ast.parse(source).body, key=lambda node: node.lineno):
        nodes = list(nodes)
        line = " ".join(part.strip() for part in text[first - 1:nodes[-1].end_lineno])
        yield line, compile(ast.Interactive(nodes), path, "single")


main()
