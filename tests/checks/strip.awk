# Splits C and C++ source into code and comments.  For every line of every file
# prints FILE:LINE:TEXT; with -v want=code, TEXT is the line without comments and
# without what string and character literals contain; with -v want=comments it
# is the text of the comments alone.

FNR == 1 {
    inside = 0 # 1 while in a block comment
}

{
    rest = $0
    code = ""
    comment = ""
    while (rest != "") {
        if (inside) {
            end = index(rest, "*/")
            if (end == 0) {
                comment = comment rest
                rest = ""
            } else {
                comment = comment substr(rest, 1, end - 1) " "
                rest = substr(rest, end + 2)
                inside = 0
            }
        } else if (!match(rest, /\/\*|\/\/|"|'/)) {
            code = code rest
            rest = ""
        } else {
            code = code substr(rest, 1, RSTART - 1)
            mark = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            if (mark == "/*") {
                inside = 1
                code = code " "
            } else if (mark == "//") {
                comment = comment rest
                rest = ""
            } else if (mark == "'" && code ~ /[0-9a-fA-F]$/) {
                code = code mark # a digit separator of C++
            } else {
                literal = (mark == "\"") ? "^([^\"\\\\]|\\\\.)*\"" : "^([^'\\\\]|\\\\.)*'"
                if (match(rest, literal)) {
                    rest = substr(rest, RLENGTH + 1)
                    code = code mark mark
                } else {
                    code = code mark
                }
            }
        }
    }
    print FILENAME ":" FNR ":" (want == "comments" ? comment : code)
}
