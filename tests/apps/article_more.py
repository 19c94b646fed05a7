import zlib
array1[500:510] = 7
bool((array2[500:510] == 1).all()), bool((array1[1:100] == 1).all())
zlib.crc32(array1), zlib.crc32(array2)
