/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param dnsd_params[] = {
	{ .name = "dns_mode",
	  .kind = PARAM_ENUM,
	  .def = "auto",
	  .choices = "auto|forward|recurse",
	  .users = SVC_BIT(SVC_DNSD),
	  .text = "How the DNS is asked: forward asks the name servers of "
		  "dns_servers or, if that is empty, of resolv_conf_file; "
		  "recurse asks the servers of the zones themselves, from the "
		  "root on; auto forwards if a name server is named, and "
		  "recurses if none is." },
	{ .name = "dns_servers",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SVC_BIT(SVC_DNSD),
	  .text = "Name servers, at most 8, each ADDRESS, ADDRESS:PORT or "
		  "[ADDRESS]:PORT, that are asked instead of those in "
		  "resolv_conf_file. With dns_mode = recurse they are asked "
		  "instead of the servers of the root." },
	{ .name = "dns_timeout",
	  .kind = PARAM_TIME,
	  .def = "20s",
	  .min = 1,
	  .max = 120,
	  .users = SVC_BIT(SVC_DNSD),
	  .text = "How long a question of the DNS may take. After that the "
		  "answer is that nobody knows now; mail is tried again "
		  "later." },
	{ .name = "dns_cache_size",
	  .kind = PARAM_BYTES,
	  .def = "16m",
	  .min = 65536,
	  .max = 256 * 1024 * 1024,
	  .users = SVC_BIT(SVC_DNSD),
	  .text = "Memory for answers of the DNS that are kept as long as "
		  "they say." },
	{ .name = "dns_trust_anchor_file",
	  .kind = PARAM_PATH,
	  .def = "/usr/share/dns/root.key",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The keys from which DNSSEC is checked: DS or DNSKEY records "
		  "of the root, as Debian's package dns-root-data has them, or "
		  "of other zones. A changed file is taken within a second or "
		  "two. Without it nothing is checked, and no answer counts as "
		  "secure. Answers that were forged are never used. Name "
		  "servers that are asked by forwarding have to pass on what "
		  "DNSSEC needs: if they do not, a warning is logged, and they "
		  "are asked as if there were no keys; whether they have "
		  "learned it is tried every hour." },
	{ .name = "resolv_conf_file",
	  .kind = PARAM_PATH,
	  .def = "/etc/resolv.conf",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The file that names the name servers to forward questions "
		  "to. A changed file is taken within a second or two." },
	{ .name = "hosts_file",
	  .kind = PARAM_PATH,
	  .def = "/etc/hosts",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The file with names of hosts that are not asked of the "
		  "DNS." },
	{ .name = NULL },
};
