#!/usr/bin/env python3
"""Writes identifier_ranges.h: the characters beyond ASCII of which Java makes identifiers.
Run with Debian's /usr/bin/python3 in this folder; clang-format does the rest."""
import unicodedata

# java.lang.Character.isJavaIdentifierStart and ...Part, without the ignorable (invisible) characters.
START = {"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Sc", "Pc"}
PART = START | {"Nd", "Mc", "Mn"}


def ranges(categories):
    first = None
    for code in range(0x80, 0x110001):
        inside = code < 0x110000 and unicodedata.category(chr(code)) in categories
        if inside and first is None:
            first = code
        if not inside and first is not None:
            yield first, code - 1
            first = None


def table(name, categories):
    cells = ", ".join(f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(categories))
    return f"inline constexpr CodePoints {name}[] = {{{cells}}};\n"


with open("identifier_ranges.h", "w", encoding="ascii") as out:
    out.write(f"// Made by identifier_ranges.py from Unicode {unicodedata.unidata_version}; not for editing.\n"
              "#pragma once\n\nnamespace busbar::selector {\n\n"
              "/// An inclusive range.\nstruct CodePoints {\n    char32_t first, last;\n};\n\n"
              + table("kIdentifierStart", START) + "\n" + table("kIdentifierPart", PART)
              + "\n}  // namespace busbar::selector\n")
