# R copies a vector when it is first changed: y <- x costs nothing, y[1] <- 1 costs all of x.

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "steps.R"))

x <- numeric(5e7) + 2   # filled, so that it is real memory: numeric() alone is zeros
invisible(gc())
done("x <- numeric(5e7) + 2")

y <- x
done("y <- x")

y[1] <- 1
done("y[1] <- 1")

y[1:5e6] <- 3
invisible(gc())         # the index was a vector too
done("y[1:5e6] <- 3")

x[5e7] <- 4
done("x[5e7] <- 4")

cat(format(c(sum(x), sum(y), x[1], y[1], y[5e6], y[5e6 + 1], x[5e7], y[5e7]), digits = 17), "\n")
