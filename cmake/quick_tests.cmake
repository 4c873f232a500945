# What keeps the tests' build short; it took half of all the time that scripts/test takes.
#
# Files of one binary are compiled several at a time (CMAKE_UNITY_BUILD of the presets), for
# most of a test's time goes into headers and into templates that its neighbours use as well.
# Tests name things as they like all the same, since each is in a namespace of its own that
# is named as its file: `namespace yuelao::turn::relay_test`.
#
# They are not optimised either where nobody measures. The sanitizers see no less of them, and
# what they test is optimised as ever.
add_library(yuelao_quick_test INTERFACE)
add_library(yuelao::quick_test ALIAS yuelao_quick_test)
target_compile_options(yuelao_quick_test INTERFACE $<$<CONFIG:Debug>:-O0>)
