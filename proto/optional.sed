# `optional T x = 1;` -> `oneof has_x { T x = 1; }`; see meson.build.
s/^( *)optional ([A-Za-z0-9_.]+) ([a-z0-9_]+) = ([0-9]+);/\1oneof has_\3 { \2 \3 = \4; }/
