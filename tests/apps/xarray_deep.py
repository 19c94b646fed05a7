"""xarray: a deep copy of a data set, and one of its fifty time slices edited."""

import zlib

import numpy
import xarray

from steps import done

values = numpy.arange(50 * 512 * 1024, dtype=numpy.float64).reshape(50, 512, 1024)  # 200 MiB, 4 MiB a slice
data = xarray.Dataset({"t": (("time", "y", "x"), values)})
done("fill")

other = data.copy(deep=True)
done("copy(deep=True)")

other["t"][7] = 0.5
done("edit one slice")

print(zlib.crc32(data["t"].values), zlib.crc32(other["t"].values))
