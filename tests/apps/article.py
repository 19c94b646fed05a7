import numpy
array1 = numpy.ones((1024, 1024, 50))
array2 = array1.copy()
array2[0, 0, 0]; array2[10, 0, 1]
array2[1:100] = 30
array1[1, 0, 0]
