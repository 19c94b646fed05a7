# SPDX-License-Identifier: MIT
"""An image editor's undo stack: before each edit the whole image is kept. PIL draws, NumPy holds the pixels.

The stack costs what the edits changed, not twelve images; `image.copy()` is all that the editor has to do."""

import zlib

import numpy
from PIL import Image, ImageDraw

import cowshim
from steps import done

WIDTH, HEIGHT, EDITS = 6000, 4000, 12


def brush(image, number):
    """Draws a filled circle and a line into a part of the image, as a stroke of a brush would."""
    top, left, size = 300 * number, 450 * number, 320
    patch = Image.fromarray(image[top:top + size, left:left + size])
    pen = ImageDraw.Draw(patch)
    pen.ellipse((20, 20, size - 20, size - 20), fill=(20 * number, 90, 200))
    pen.line((0, 0, size, size), fill=(255, 255, 0), width=9)
    image[top:top + size, left:left + size] = numpy.asarray(patch)


rows, columns = numpy.ogrid[:HEIGHT, :WIDTH]
image = numpy.empty((HEIGHT, WIDTH, 3), numpy.uint8)
image[..., 0], image[..., 1], image[..., 2] = rows % 251, columns % 241, (rows + columns) % 239
first = zlib.crc32(image)
done("open an image of 69 MiB")

undo = []
for number in range(EDITS):
    undo.append(image.copy())
    brush(image, number)
done(f"{EDITS} edits, each can be undone")

changed = cowshim.diff(undo[-1], image)
print("rows touched by the last edit:", changed[0][0] // (WIDTH * 3), "to", (changed[-1][1] - 1) // (WIDTH * 3))

while undo:
    image = undo.pop()
print("as it was:", zlib.crc32(image) == first)
done("undo them all")
