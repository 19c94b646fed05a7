"""Arrays into bytes objects and back: what each way of Python's shares, and that the bytes are equal."""

import io
import pickle

import numpy

from steps import done

MIB = 1 << 20

array = numpy.arange(8 * MIB, dtype=numpy.float64)  # 64 MiB
done("fill")

kept = [array.tobytes()]
done("tobytes")
kept.append(bytes(array))
done("bytes(array)")
kept.append(bytearray(kept[0]))
done("bytearray(bytes)")
kept.append(b"".join([kept[0], b"the end"]))
done("join")
kept.append(numpy.frombuffer(kept[1], dtype=array.dtype).copy())
done("frombuffer(bytes).copy()")

buffers = []
head = pickle.dumps(array, protocol=5, buffer_callback=buffers.append)
kept.append([bytes(buffer) for buffer in buffers])
done("pickle.dumps, its buffers as bytes")
kept.append(pickle.loads(head, buffers=kept[-1]).copy())
done("pickle.loads and a copy")
packed = pickle.dumps(kept[0], protocol=5)[:64]
done("pickle.dumps within the stream, which is gone")

stream = io.BytesIO()
stream.write(array)
kept.append(stream.getvalue())
done("BytesIO")

kept[4][:MIB] = -1  # 8 MiB
done("change an eighth of an array from bytes")

print([array.tobytes() == bytes(one)[:array.nbytes] for one in kept[:4]])
print(numpy.array_equal(kept[4][MIB:], array[MIB:]), kept[4][:MIB].max(), kept[5][0] == kept[0])
print(numpy.array_equal(kept[6], array), kept[7] == kept[0], len(packed))
