# How every target of the project is compiled, and the two functions by which folders declare themselves.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")  # asserts stay on: a broken invariant must stop, not corrupt
find_program(BUSBAR_CCACHE ccache)
if(BUSBAR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BUSBAR_CCACHE})
endif()
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(FMT REQUIRED IMPORTED_TARGET fmt)
find_library(BUSBAR_JEMALLOC libjemalloc_pic.a REQUIRED)

add_library(busbar_flags INTERFACE)
# GCC 12 reports variants of strings as maybe-uninitialized (GCC bug 105562 and its kin): noise only.
target_compile_options(busbar_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  -Wnon-virtual-dtor -Woverloaded-virtual -fno-omit-frame-pointer
  -fno-semantic-interposition  # nobody replaces our functions at run time, so they may be inlined
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(BUSBAR_WERROR)
  target_compile_options(busbar_flags INTERFACE -Werror)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(busbar_flags INTERFACE -msse4.2)  # CRC32C in hardware
endif()
if(BUSBAR_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
elseif(BUSBAR_SANITIZE STREQUAL "thread")
  # Asio's fences are beyond GCC's ThreadSanitizer, which says so at each of them.
  add_compile_options(-fsanitize=thread $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  add_link_options(-fsanitize=thread)
elseif(BUSBAR_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
if(NOT BUSBAR_SANITIZE STREQUAL "none")
  add_compile_options(-O1)  # as the sanitizers' own pages advise; compiled a third faster
endif()
target_include_directories(busbar_flags INTERFACE ${CMAKE_SOURCE_DIR})

# The daemon's allocator (docs/adr/0008-allocator.md). Sanitizers bring their own.
add_library(busbar_allocator INTERFACE)
if(BUSBAR_SANITIZE STREQUAL "none")
  target_link_libraries(busbar_allocator INTERFACE ${BUSBAR_JEMALLOC} Threads::Threads ${CMAKE_DL_LIBS} m)
endif()

# busbar_library(NAME SOURCES a.cpp b.cpp PUBLIC targets... PRIVATE targets...)
# One static library a folder. PUBLIC is what its headers need, PRIVATE what only its sources need.
function(busbar_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC busbar_flags ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# busbar_program(NAME SOURCES ... LINK targets...)
function(busbar_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE busbar_flags ${ARG_LINK})
endfunction()

# busbar_test(SUITE SOURCES ... LINK targets... [LABELS ...] [TIMEOUT s])
# One CppUnit program a folder: tests/support/driver.cpp is its main, `SUITE --list` names its tests.
function(busbar_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/driver.cpp)
  target_link_libraries(${name} PRIVATE busbar_flags cppunit ${ARG_LINK})
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)  # compiled a third faster, run once
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "unit;${ARG_LABELS}")
endfunction()

# busbar_fuzz(NAME SOURCE target.cpp CORPUS dir LINK targets...)
# The target defines LLVMFuzzerTestOneInput. With BUSBAR_SANITIZE=fuzzer it becomes a libFuzzer program;
# otherwise a program that replays every file of its corpus, run by ctest.
function(busbar_fuzz name)
  cmake_parse_arguments(ARG "" "SOURCE;CORPUS" "LINK" ${ARGN})
  if(BUSBAR_SANITIZE STREQUAL "fuzzer")
    add_executable(${name} ${ARG_SOURCE})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${ARG_SOURCE} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${ARG_CORPUS})
    set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS "unit;fuzz")
  endif()
  target_link_libraries(${name} PRIVATE busbar_flags ${ARG_LINK})
endfunction()
