# SPDX-License-Identifier: ISC
# What is installed beside the programs (ph_daemon).
configure_file(conf/systemd/posthouse.service.in posthouse.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/posthouse.service
	conf/systemd/posthouse.socket DESTINATION lib/systemd/system)
install(FILES conf/systemd/sysusers.conf DESTINATION lib/sysusers.d
	RENAME posthouse.conf)
install(FILES conf/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d
	RENAME posthouse.conf)
foreach(section 1 5 8)
	file(GLOB manuals CONFIGURE_DEPENDS docs/man/*.${section})
	install(FILES ${manuals}
		DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES README.md ARCHITECTURE.md LICENSE conf/main.cf.sample
	docs/PERFORMANCE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Programs call these by their usual names.
install(TARGETS sendmail DESTINATION ${CMAKE_INSTALL_SBINDIR})
file(RELATIVE_PATH from_bin ${CMAKE_INSTALL_FULL_BINDIR}
	${CMAKE_INSTALL_FULL_SBINDIR}/sendmail)
foreach(name mailq newaliases)
	file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/links)
	file(CREATE_LINK ${from_bin} ${CMAKE_BINARY_DIR}/links/${name} SYMBOLIC)
	install(FILES ${CMAKE_BINARY_DIR}/links/${name}
		DESTINATION ${CMAKE_INSTALL_BINDIR})
endforeach()
