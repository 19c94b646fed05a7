# SPDX-License-Identifier: MIT
# A Markov chain whose states are large: every tenth one is kept, to look back at. A step changes one block of the state; R copies
# the whole vector when it does, since a kept state must not change.

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "steps.R"))

set.seed(11)
size <- 4e6                       # 30.5 MiB
block <- 20000
state <- rnorm(size)
energy <- sum(state * state)
invisible(gc())
done("first state")

kept <- list()
accepted <- 0
for (step in 1:100) {
    at <- sample.int(size - block, 1)
    where <- at:(at + block - 1)
    old <- state[where]
    new <- old + rnorm(block, sd = 0.01)
    change <- sum(new * new) - sum(old * old)
    if (log(runif(1)) < -change / 2) {
        state[where] <- new
        energy <- energy + change
        accepted <- accepted + 1
    }
    if (step %% 10 == 0) kept[[length(kept) + 1]] <- state
}
invisible(gc())
done("100 steps, 10 states kept")

cat("accepted:", accepted, "\n")
for (old in kept) cat(format(c(sum(old), old[1], old[size]), digits = 15), "\n")
cat("energy as summed on the way:", abs(energy - sum(state * state)) < 1e-4 * energy, "\n")
