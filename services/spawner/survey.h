/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_SURVEY_H
#define SPAWNER_SURVEY_H

#include "frame/msg_spawner.h"
#include "proc.h"

/*
 * posthouse who and kick: the question goes to all users' processes it is
 * about; their rows are passed on as they come, the answer when all have
 * answered, are gone, or have taken longer than SURVEY_MS.
 */
enum {
	SURVEY_MS = 2000,
	SURVEY_ROWS_MAX = 1000, /* sessions of one process that count */
};

/* asker: of row CH_CTL_SPAWNER. */
void survey_who(struct procs *ps, struct chan *asker, uint32_t tag,
		const struct msg_who *m);
void survey_kick(struct procs *ps, struct chan *asker, uint32_t tag,
		 const struct msg_kick *m);

#endif
