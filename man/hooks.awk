# SPDX-License-Identifier: MIT
# Fills libcowshim(7): awk -f hooks.awk hooks.def libcowshim.7.in. A line "@FAMILY@" becomes the functions of that family.
FNR == NR {
    if (match($0, /^INTERPOSE(_REST)?\([^)]/)) {
        split(substr($0, RLENGTH), field, /, */)
        family = $0 ~ /^INTERPOSE_REST/ ? field[2] : field[3]
        names[family] = names[family] (names[family] == "" ? "" : " ") field[1]
    }
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
