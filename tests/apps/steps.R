# The R half of the stepped protocol (stepped.py): done() says that a step is done, and waits to be measured.

input <- file("stdin", open = "r")
now <- function() as.numeric(Sys.time())
start <- now()
done <- function(name) {
    cat(sprintf("step %.6f %s\n", now() - start, name))
    readLines(input, n = 1L)
    start <<- now()
}
