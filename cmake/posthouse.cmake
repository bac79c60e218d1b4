# SPDX-License-Identifier: ISC
# The kinds of targets a room of the house has.

# ph_layer(NAME source... [LINK lib...]): one layer of lib/, included as
# "NAME/file.h".
function(ph_layer name)
	cmake_parse_arguments(A "" "" "LINK" ${ARGN})
	add_library(${name} STATIC ${A_UNPARSED_ARGUMENTS})
	target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
	target_link_libraries(${name} PUBLIC ${A_LINK})
endfunction()

# ph_disk(NAME source...): a disk back end (fsx.h).
function(ph_disk name)
	add_library(${name} OBJECT ${ARGN})
	target_link_libraries(${name} PUBLIC base)
endfunction()

# ph_room(NAME source... [LINK lib...]): everything of a daemon but main.c, as
# the library lib<NAME>_room that its program and its tests link.
function(ph_room name)
	cmake_parse_arguments(A "" "" "LINK" ${ARGN})
	add_library(${name}_room STATIC ${A_UNPARSED_ARGUMENTS})
	target_include_directories(${name}_room PUBLIC
		${CMAKE_CURRENT_SOURCE_DIR})
	target_link_libraries(${name}_room PUBLIC ${A_LINK})
endfunction()

# ph_daemon(NAME [main.c...] [LINK lib...]): the program, linked with the real
# disk (fsx).  master finds the others in its own directory.
function(ph_daemon name)
	cmake_parse_arguments(A "" "" "LINK" ${ARGN})
	add_executable(${name} ${A_UNPARSED_ARGUMENTS})
	target_link_libraries(${name} PRIVATE ${A_LINK} fsx)
	if(POSTHOUSE_SANITIZE)
		target_sources(${name} PRIVATE
			${CMAKE_SOURCE_DIR}/cmake/sanitizer_options.c)
	endif()
	if(name STREQUAL "posthouse")
		install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_SBINDIR})
	else()
		install(TARGETS ${name}
			DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/posthouse)
	endif()
	ph_intruder(${name} ${A_UNPARSED_ARGUMENTS} LINK ${A_LINK})
endfunction()

# ph_intruder(NAME main.c LINK lib...): the same program, but what it does in
# its jail is first what the jail must prevent; in bin/intruder, never
# installed (tests/jail/intruder.c).
function(ph_intruder name)
	cmake_parse_arguments(A "" "" "LINK" ${ARGN})
	if(POSTHOUSE_FUZZ OR name STREQUAL "posthouse")
		return()
	endif()
	file(GLOB intruder CONFIGURE_DEPENDS
		${CMAKE_SOURCE_DIR}/tests/jail/intruder*.c)
	add_executable(${name}-test EXCLUDE_FROM_ALL ${A_UNPARSED_ARGUMENTS}
		${intruder})
	set_target_properties(${name}-test PROPERTIES OUTPUT_NAME ${name}
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/intruder)
	target_link_libraries(${name}-test PRIVATE ${A_LINK} fsx)
	if(POSTHOUSE_SANITIZE)
		target_sources(${name}-test PRIVATE
			${CMAKE_SOURCE_DIR}/cmake/sanitizer_options.c)
	endif()
	set_property(GLOBAL APPEND PROPERTY PH_INTRUDERS ${name}-test)
endfunction()

# ph_test(FILE_test.c [LINK lib...] [FSX fsx_test]): a cmocka program run by
# ctest; FSX names the disk back end, fsx by default.
function(ph_test source)
	cmake_parse_arguments(A "" "FSX" "LINK" ${ARGN})
	if(POSTHOUSE_FUZZ)
		return()
	endif()
	get_filename_component(base ${source} NAME_WE)
	if(TARGET ${base})
		# Two rooms have a file of this name.
		get_filename_component(room ${CMAKE_CURRENT_SOURCE_DIR} NAME)
		set(base ${room}_${base})
	endif()
	if(NOT A_FSX)
		set(A_FSX fsx)
	endif()
	add_executable(${base} EXCLUDE_FROM_ALL ${source})
	set_property(GLOBAL APPEND PROPERTY PH_TESTS ${base})
	target_link_libraries(${base} PRIVATE ${A_LINK} ${A_FSX}
		PkgConfig::CMOCKA)
	add_test(NAME ${base} COMMAND ${base}
		WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
	set_tests_properties(${base} PROPERTIES TIMEOUT 600)
endfunction()

# ph_fuzz(FILE_fuzz.c [LINK lib...] [FSX fsx_test]): a libFuzzer target under
# the fuzz preset, elsewhere the same file with a small main() that replays the
# corpus in tests/corpus/FILE.
function(ph_fuzz source)
	cmake_parse_arguments(A "" "FSX" "LINK" ${ARGN})
	get_filename_component(base ${source} NAME_WE)
	if(NOT A_FSX)
		set(A_FSX fsx)
	endif()
	set_property(GLOBAL APPEND PROPERTY PH_TESTS ${base})
	if(POSTHOUSE_FUZZ)
		add_executable(${base} ${source})
		target_link_options(${base} PRIVATE -fsanitize=fuzzer)
	else()
		add_executable(${base} EXCLUDE_FROM_ALL ${source}
			${CMAKE_SOURCE_DIR}/tests/replay.c)
		add_test(NAME ${base} COMMAND ${base}
			${CMAKE_SOURCE_DIR}/tests/corpus/${base})
		set_tests_properties(${base} PROPERTIES TIMEOUT 600)
	endif()
	target_link_libraries(${base} PRIVATE ${A_LINK} ${A_FSX})
endfunction()

# ph_registry(): the library `registry` with param_sets[], from every target
# NAME_params that exists; its array is called NAME_params as well.
function(ph_registry)
	set(decls "")
	set(rows "\tcommon_params,\n")
	add_library(registry STATIC ${CMAKE_BINARY_DIR}/registry.c)
	target_link_libraries(registry PUBLIC frame)
	foreach(room logd smtpd submitd qmgr smtp router dnsd dialer keyd
			tlsd authd pamd login
			spawner deliver local imapd pop3d)
		if(TARGET ${room}_params)
			string(APPEND decls
				"extern const struct param ${room}_params[];\n")
			string(APPEND rows "\t${room}_params,\n")
			target_link_libraries(registry PUBLIC ${room}_params)
		endif()
	endforeach()
	file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/registry.c CONTENT
"/* Written by CMake. */
#include \"frame/registry.h\"

${decls}
const struct param *const param_sets[] = {
${rows}\t0,
};
" @ONLY)
endfunction()
