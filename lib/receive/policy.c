/* SPDX-License-Identifier: ISC */
#include "receive/policy.h"

bool
policy_routing_denied(const struct receive_conf *c, bool trusted,
		      const struct path *rcpt)
{
	return rcpt->routing && !trusted && !c->untrusted_routing;
}

enum policy_rcpt
policy_rcpt(bool trusted, const struct msg_routed *m)
{
	if (!m || m->verdict == ROUTE_TEMP)
		return POLICY_TRY_AGAIN;
	/* Who may not relay is not told what relaying would have met. */
	if (!m->own && !trusted)
		return POLICY_RELAY_DENIED;
	return m->verdict == ROUTE_OK ? POLICY_ACCEPT : POLICY_REJECT;
}

bool
policy_size_ok(const struct receive_conf *c, uint64_t size)
{
	return c->message_size == 0 || size <= c->message_size;
}

struct policy_fault
policy_data_fault(unsigned faults)
{
	/* RFC 5321 2.3.8: CR and LF only ever together. */
	if (faults & SMTPDATA_BARE_LF)
		return (struct policy_fault){ 550, "5.5.2",
					      "Error: bare <LF> received" };
	if (faults & SMTPDATA_BARE_CR)
		return (struct policy_fault){ 550, "5.5.2",
					      "Error: bare <CR> received" };
	if (faults & SMTPDATA_NUL) /* RFC 5322 2.3 */
		return (struct policy_fault){ 550, "5.5.2",
					      "Error: NUL received" };
	if (faults & SMTPDATA_LONG_LINE)
		return (struct policy_fault){
			554, "5.6.0", "Error: line of the message too long"
		};
	return (struct policy_fault){ 0 };
}

struct policy_fault
policy_header_fault(const struct receive_conf *c, enum header_result r,
		    const struct header_scan *h)
{
	if (r == HEADER_TOO_LONG)
		return (struct policy_fault){ 552, "5.3.4",
					      "Error: message header too "
					      "long" };
	if (h->received >= c->hops) /* RFC 5321 6.3 */
		return (struct policy_fault){ 554, "5.4.6",
					      "Error: too many hops" };
	return (struct policy_fault){ 0 };
}
