"""The module cowshim (python/): the same results without the shim, and what it shares with it."""

import numpy

import cowshim
from steps import done

MIB = 1 << 20


def refused(function, *arguments):
    """What is said about arguments that make no sense; the same with and without the shim."""
    try:
        function(*arguments)
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was said"


done("import")
base = cowshim.copy(numpy.arange(8 * MIB, dtype=numpy.float64))  # 64 MiB
cowshim.seal(base)
done("seal")

kept = [cowshim.copy(base) for _ in range(10)]
done("ten copies")
if cowshim.active():
    assert cowshim.residency(kept[9]) == (0, 0, kept[9].nbytes)
    assert cowshim.stats().bytes_shared >= 10 * base.nbytes
else:
    assert cowshim.stats() == cowshim.Stats(*[0] * 12)

for number, array in enumerate(kept):
    array[number * 1000] = -1
    array[-1] = number
done("two elements changed in each")
print([cowshim.diff(base, array)[0][0] <= number * 1000 < cowshim.diff(base, array)[0][1] for number, array in enumerate(kept)])
print([len(cowshim.diff(base, array)) for array in kept], cowshim.diff(base, base), cowshim.diff(base[:0], base[:0]))
print(cowshim.diff(kept[1], kept[2])[-1][1] == base.size)
print([float(array.sum() - base.sum()) for array in kept])

def computed(changed):
    """The same 16 MiB each time, but for a twentieth of its pages."""
    array = numpy.sqrt(numpy.arange(2 * MIB, dtype=numpy.float64))
    array[changed * 512 % array.size::20 * 512] = changed
    return array


alike = {"first": computed(3), "others": [computed(number) for number in (11, 14, 17)], "name": "x", "number": 3}
before = [float(array.sum()) for array in (alike["first"], *alike["others"])]
done("arrays that were computed alike")
merged = cowshim.merge(alike)
done("merged")
if cowshim.active():
    assert merged >= 0.85 * 3 * alike["first"].nbytes, merged
    assert cowshim.residency(alike["others"][2]).private <= 0.11 * alike["first"].nbytes
    assert cowshim.stats().merged_bytes >= merged
print([float(array.sum()) for array in (alike["first"], *alike["others"])] == before, cowshim.merge(numpy.ones(3), numpy.ones(3)))
del alike

table = numpy.asfortranarray(numpy.ones((1024, 1025)))
other = cowshim.copy(table)
other[7, 1000] = 5
print(other.flags.f_contiguous, other.shape, int((other != table).sum()), cowshim.diff(table, other)[0][0] <= 1000 * 1024 + 7)
print(cowshim.copy(base[1:]).sum() == base[1:].sum(), cowshim.copy(base[::2]).sum() == base[::2].sum())
print(cowshim.copy(numpy.full((), 3.0)), cowshim.copy(numpy.zeros(0)).shape)
del kept
print(cowshim.copy(base).flags.writeable, 
      [start <= 2 < end for start, end in cowshim.diff(numpy.arange(5), numpy.array([0, 1, 9, 3, 4]))])

for function, arguments in [(cowshim.copy, ([1, 2],)), (cowshim.copy, (numpy.array([{}]),)), (cowshim.diff, (base, base[:5])),
                            (cowshim.diff, (base, base.view(numpy.int64))), (cowshim.diff, (base[::2], base[::2])),
                            (cowshim.diff, (table, numpy.ascontiguousarray(table))), (cowshim.seal, ("text",)), (cowshim.merge, (object(),)),
                            (cowshim.residency, (base[::3],))]:
    print(refused(function, *arguments))
