# SPDX-License-Identifier: MIT
# cowshim from R: source() this file. It needs no package.
#
#     cowshim_active()     whether this R runs under the shim
#     cowshim_saved()      bytes that its copies do not take, because they share them
#     cowshim_stats()      the figures of `cowshim stat`, by name
#     cowshim_relaunch()   at the head of a script: the script runs under the shim, however Rscript was started

cowshim_active <- function()
    any(grepl("/libcowshim.so", readLines("/proc/self/maps", warn = FALSE), fixed = TRUE))

# The command; options(cowshim.command = PATH) says where it is when PATH does not.
cowshim_command <- function() {
    command <- getOption("cowshim.command", Sys.which("cowshim"))
    if (!nzchar(command))
        stop("cowshim is not found in PATH; options(cowshim.command = ...) can say where it is", call. = FALSE)
    unname(command)
}

# Empty where there is nothing to show: without the shim, or before the first large allocation.
cowshim_stats <- function() {
    said <- suppressWarnings(system2(cowshim_command(), c("stat", "--json", Sys.getpid()), stdout = TRUE, stderr = FALSE))
    reasons <- grep('^ *"plain":', said)
    if (length(reasons) > 0)
        said <- said[seq_len(reasons[1] - 1)]
    lines <- regmatches(said, regexec('^ *"([a-z_]+)": *(-?[0-9]+),?$', said))
    lines <- lines[lengths(lines) == 3]
    structure(as.numeric(vapply(lines, `[`, "", 3)), names = vapply(lines, `[`, "", 2))
}

cowshim_saved <- function() {
    saved <- cowshim_stats()["saved_bytes"]
    if (is.na(saved)) 0 else max(0, unname(saved))
}

# Runs the script that Rscript runs once more, with the shim and these options of `cowshim run`, and ends with what it ended with.
# Does nothing where the shim is loaded, or could not be.
cowshim_relaunch <- function(options = character()) {
    if (cowshim_active() || nzchar(Sys.getenv("RELAUNCHED_BY_COWSHIM")))
        return(invisible(FALSE))
    words <- commandArgs()[-1]
    if (!any(startsWith(words, "--file=")))
        stop("cowshim_relaunch() is for scripts that Rscript runs; type: cowshim run -- R", call. = FALSE)
    status <- system2(cowshim_command(), c("run", shQuote(options), "--", shQuote(c(file.path(R.home("bin"), "R"), words))),
                      env = "RELAUNCHED_BY_COWSHIM=1")
    quit(save = "no", status = status)
}
