# SPDX-License-Identifier: MIT
# Fills libcowshim(7): awk -f tables.awk hooks.def fallbacks.def libcowshim.7.in. A line "@FAMILY@" becomes the functions of that family,
# "@FALLBACKS@" what is done where something of the kernel is missing.
FNR == 1 { files++ }
files == 2 {
    if (match($0, /^FALLBACK\(/)) {
        split($0, text, /"/)
        feature = text[4] (text[6] == "" ? "" : " (Linux " text[6] ")")
        fallbacks = fallbacks ".It\n" feature ": without it " text[8] ".\n"
    }
    next
}
files == 1 {
    if (match($0, /^INTERPOSE(_REST)?\([^)]/)) {
        split(substr($0, RLENGTH), field, /, */)
        family = $0 ~ /^INTERPOSE_REST/ ? field[2] : field[3]
        names[family] = names[family] (names[family] == "" ? "" : " ") field[1]
    }
    next
}
/^@FALLBACKS@$/ {
    printf "%s", fallbacks
    next
}
/^@[A-Z]+@$/ {
    family = substr($0, 2, length($0) - 2)
    if (!(family in names)) {
        print FILENAME ": no hook is of the family " family >"/dev/stderr"
        exit 1
    }
    count = split(names[family], name, " ")
    for (i = 1; i <= count; i++)
        print ".Fn " name[i] (i < count ? " ," : " .")
    told[family] = 1
    next
}
{ print }
END {
    for (family in names)
        if (!(family in told)) {
            print FILENAME ": the family " family " is not there" >"/dev/stderr"
            exit 1
        }
}
