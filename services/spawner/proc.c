/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_spawner.h"
#include "poke.h"
#include "proc.h"

enum {
	KEY_MAX = 3000,
	/* A user who makes them stand still, by a lock on a file of his, say,
	 * has so many and no more. */
	STUCK_MAX = 2,
};

static const struct chan_row *
row_of(uint8_t service)
{
	return service == SVC_IMAPD   ? &channels[CH_SPAWNER_IMAPD]
	       : service == SVC_POP3D ? &channels[CH_SPAWNER_POP3D]
	       : service == SVC_MBOX  ? &channels[CH_SPAWNER_MBOX]
	       : service == SVC_TAKER ? &channels[CH_SPAWNER_TAKER]
				      : &channels[CH_SPAWNER_DELIVER];
}

/* Everything that a process is bound to for life, each part ended by a NUL. */
static void
make_key(struct buf *b, const struct child_spec *s)
{
	buf_addf(b, "%u:%u:%u:%d:%d", s->service, s->id.uid, s->id.gid,
		 s->whole_tree, s->in_spool);
	buf_add_byte(b, '\0');
	buf_add(b, s->id.home, strlen(s->id.home) + 1);
	buf_add(b, s->id.mail, strlen(s->id.mail) + 1);
	if (s->service != SVC_DELIVER && s->service != SVC_MBOX)
		buf_add(b, s->id.user, strlen(s->id.user) + 1);
}

static void
close_birth(struct proc *p)
{
	if (p->on_birth)
		event_free(p->on_birth);
	if (p->birth >= 0)
		close(p->birth);
	p->on_birth = NULL;
	p->birth = -1;
}

static void
maybe_free(struct proc *p)
{
	if (p->pid || p->asker)
		return;
	BUG_ON(!list_empty(&p->waiting));
	proc_retire(p);
	poke_leave(p);
	close_birth(p);
	list_remove(&p->link);
	p->all->n--;
	free(p->key);
	free(p);
}

void
proc_retire(struct proc *p)
{
	struct str key = str_mem(p->key, p->keylen);

	if (map_get(&p->all->by_key, key) == p)
		map_del(&p->all->by_key, key);
	p->state = PROC_GONE;
}

static void
tell_waiters(struct proc *p, const struct err *err)
{
	struct proc_waiter *w;

	if (err)
		proc_retire(p);
	else
		p->state = PROC_RUNNING;
	while (!list_empty(&p->waiting)) {
		w = LIST_OF(p->waiting.next, struct proc_waiter, link);
		list_remove(&w->link);
		w->fn(w, err ? NULL : p, err);
	}
}

/* --- birth and death ----------------------------------------------------- */

static void
read_birth(struct proc *p)
{
	char word[BIRTH_MAX];
	struct err err;
	ssize_t n;

	if (p->state != PROC_STARTING)
		return;
	n = read(p->birth, word, sizeof(word));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	close_birth(p);
	if (n > 0 && word[0] == CHILD_READY) {
		tell_waiters(p, NULL);
		return;
	}
	if (n > 0)
		err_set(&err, word[0] == 'P' ? ERR_PERM : ERR_TEMP, EACCES,
			"%.*s", (int)n - 1, word + 1);
	else
		err_set(&err, ERR_TEMP, ECHILD, "the process of %s died",
			p->spec.id.user);
	tell_waiters(p, &err);
}

static void
on_birth(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_birth(arg);
}

/* From deliver alone: the row says so. */
static void
on_note(void *arg, const struct msg_def *def, void *msg)
{
	struct proc *p = arg;

	if (def != &msg_poke_def)
		return;
	if (p->spec.service == SVC_DELIVER)
		poke(p->all, p, ((struct msg_poke *)msg)->path);
	else if (p->all->on_delivery)
		p->all->on_delivery(p->all, p);
}

static void
on_state(void *arg, bool up)
{
	struct proc *p = arg;
	struct err err;

	if (up)
		return;
	read_birth(p); /* it may have said why */
	if (p->state == PROC_STARTING) {
		err_set(&err, ERR_TEMP, ECHILD, "the process of %s died",
			p->spec.id.user);
		tell_waiters(p, &err);
	}
	proc_retire(p);
	asker_free(p->asker);
	p->asker = NULL;
	maybe_free(p);
}

static void
log_end(const struct proc *p, pid_t pid, int status)
{
	const char *name = services[p->spec.service].name;
	const char *user = p->spec.id.user;

	if (WIFSIGNALED(status))
		log_warn("%s[%ld] was killed by signal %d (%s), user %s%s",
			 name, (long)pid, WTERMSIG(status),
			 strsignal(WTERMSIG(status)), LOGQ(str_of(user)),
			 WTERMSIG(status) == SIGSYS
				 ? ": a forbidden system call, SIGSYS"
				 : "");
	else if (WEXITSTATUS(status))
		log_warn("%s[%ld] exited with status %d, user %s", name,
			 (long)pid, WEXITSTATUS(status), LOGQ(str_of(user)));
	else
		log_debug("%s[%ld] has ended, user %s", name, (long)pid,
			  LOGQ(str_of(user)));
}

/* deliver is left out: qmgr alone asks for it, and has a brake of its own that
 * looks at the message. */
static void
note_end(struct proc *p, int status)
{
	bool badly =
		WIFSIGNALED(status) ||
		(WEXITSTATUS(status) && WEXITSTATUS(status) != EX_NO_MAILBOX);
	uint64_t now = clock_mono_ms();
	unsigned pause;

	if (p->spec.service == SVC_DELIVER || p->spec.service == SVC_MBOX)
		return;
	pause = brake_note(&p->all->brake, str_mem(p->key, p->keylen), badly,
			   now - p->born_ms, now);
	if (pause)
		log_warn("%s of %s ends badly again and again, next one in %u "
			 "s at the earliest",
			 services[p->spec.service].name,
			 LOGQ(str_of(p->spec.id.user)), pause);
}

/* --- the seed ------------------------------------------------------------- */

static void
drop_seed(struct procs *ps)
{
	if (ps->seed >= 0)
		close(ps->seed);
	ps->seed = -1;
	ps->seed_pid = 0;
}

/* It died, or is as good as dead.  The key is no process's. */
static void
seed_died(struct procs *ps)
{
	uint64_t now = clock_mono_ms();
	unsigned pause = brake_note(&ps->brake, STR("seed"), true,
				    now - ps->seed_born_ms, now);

	drop_seed(ps);
	if (pause)
		log_warn("the seed of users' processes dies again and again, "
			 "next one in %u s at the earliest",
			 pause);
}

static void
sow(struct procs *ps)
{
	uint64_t now = clock_mono_ms();
	int keep[PROC_KEEP_MAX + 1];

	if (ps->seed >= 0 || ps->nkeep == 0 ||
	    brake_wait(&ps->brake, STR("seed"), now))
		return;
	memcpy(keep, ps->keep, sizeof(ps->keep));
	ps->seed_born_ms = now;
	ps->seed = seed_start(keep, ps->nkeep, &ps->seed_pid);
	if (ps->seed >= 0)
		return;
	log_warn("no seed of users' processes: %m");
	seed_died(ps);
}

void
procs_seed(struct procs *ps, const int *keep, size_t n)
{
	BUG_ON(n > PROC_KEEP_MAX);
	memcpy(ps->keep, keep, n * sizeof(*keep));
	ps->nkeep = n;
	drop_seed(ps);
	sow(ps);
}

static void
on_seed_end(struct procs *ps, int status)
{
	if (WIFSIGNALED(status))
		log_warn("the seed of users' processes was killed by signal "
			 "%d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warn("the seed of users' processes exited with status %d",
			 WEXITSTATUS(status));
	seed_died(ps);
	sow(ps);
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	struct procs *ps = arg;
	struct list *it, *next;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == ps->seed_pid)
			on_seed_end(ps, status);
		for (it = ps->list.next; it != &ps->list; it = next) {
			struct proc *p = LIST_OF(it, struct proc, link);

			next = it->next;
			if (p->pid != pid)
				continue;
			log_end(p, pid, status);
			note_end(p, status);
			p->pid = 0;
			maybe_free(p);
			break;
		}
	}
}

/* --- fork ---------------------------------------------------------------- */

static struct proc *
proc_new(struct procs *ps, const struct child_spec *spec, struct str key)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p || !(p->key = malloc(key.n + 1))) {
		free(p);
		return NULL;
	}
	if (key.p)
		memcpy(p->key, key.p, key.n);
	p->keylen = key.n;
	p->spec = *spec;
	p->born_ms = clock_mono_ms();
	p->all = ps;
	p->birth = -1;
	list_init(&p->waiting);
	list_init(&p->link);
	if (map_put(&ps->by_key, str_mem(p->key, p->keylen), p) < 0) {
		free(p->key);
		free(p);
		return NULL;
	}
	list_append(&ps->list, &p->link);
	ps->n++;
	poke_enter(p);
	return p;
}

static pid_t
fork_child(struct proc *p, int spawner, int birth)
{
	struct procs *ps = p->all;
	const struct child_env *env = &ps->env[p->spec.service];
	pid_t pid;
	int saved;

	sow(ps);
	if (ps->seed >= 0) {
		pid = seed_fork(ps->seed, ps->child, &p->spec, env, spawner,
				birth);
		if (pid >= 0)
			return pid;
		saved = errno;
		log_warn("the seed of users' processes does not fork: %m");
		seed_died(ps);
		errno = saved;
		if (saved != EPIPE) /* it may have heard of it */
			return -1;
	}
	log_flush(); /* or both would send what waits */
	pid = fork();
	if (pid == 0)
		ps->child(&p->spec, env, spawner, birth);
	return pid;
}

/* 0 with p->pid, p->asker and p->birth; -1: errno. */
static int
proc_fork(struct proc *p)
{
	struct procs *ps = p->all;
	int pair[2], birth[2], saved;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	if (pipe2(birth, O_CLOEXEC) < 0) {
		saved = errno;
		close(pair[0]);
		close(pair[1]);
		errno = saved;
		return -1;
	}
	p->pid = fork_child(p, pair[1], birth[1]);
	saved = errno;
	close(pair[1]);
	close(birth[1]);
	p->birth = birth[0];
	if (p->pid < 0) {
		p->pid = 0;
		close(pair[0]);
		errno = saved;
		return -1;
	}
	fcntl(p->birth, F_SETFL, O_NONBLOCK);
	p->asker = asker_new_fd(ps->loop, pair[0], row_of(p->spec.service),
				on_state, p);
	p->on_birth = event_new(ps->loop->base, p->birth, EV_READ | EV_PERSIST,
				on_birth, p);
	if (p->asker)
		asker_set_note(p->asker, on_note);
	if (p->asker && p->on_birth && event_add(p->on_birth, NULL) == 0)
		return 0;
	/* The child sees EOF and ends; it is reaped as any other. */
	if (p->asker)
		asker_free(p->asker);
	p->asker = NULL;
	errno = ENOMEM;
	return -1;
}

/* Of the processes for the same that were given up and have not ended, if
 * there are as many as may be, the one that was asked least lately: it may
 * answer again.  Else NULL. */
static struct proc *
revive(struct procs *ps, struct str key)
{
	struct proc *p, *first = NULL;
	struct list *it;
	unsigned n = 0;

	list_for_each (it, &ps->list) {
		p = LIST_OF(it, struct proc, link);
		if (p->state != PROC_GONE || !p->asker ||
		    !asker_is_up(p->asker) ||
		    !str_eq(str_mem(p->key, p->keylen), key))
			continue;
		n++;
		if (!first)
			first = p;
	}
	if (n < STUCK_MAX ||
	    map_put(&ps->by_key, str_mem(first->key, first->keylen), first) < 0)
		return NULL;
	first->state = PROC_RUNNING;
	list_remove(&first->link);
	list_append(&ps->list, &first->link);
	return first;
}

static struct proc *
proc_start(struct procs *ps, const struct child_spec *spec, struct str key,
	   struct err *err)
{
	uint64_t wait = brake_wait(&ps->brake, key, clock_mono_ms());
	struct proc *p;

	if (wait) {
		err_set(err, ERR_TEMP, EAGAIN,
			"the process of %s ended badly again and again, next "
			"one in %u s",
			spec->id.user, (unsigned)((wait + 999) / 1000));
		return NULL;
	}
	if (ps->n >= ps->limit) {
		err_set(err, ERR_TEMP, EAGAIN,
			"user_process_limit (%u) is reached", ps->limit);
		return NULL;
	}
	if (!ps->env[spec->service].entry) {
		err_set(err, ERR_PERM, ENOSYS, "no such service");
		return NULL;
	}
	p = proc_new(ps, spec, key);
	if (!p) {
		err_sys(err, ENOMEM, "process of %s", spec->id.user);
		return NULL;
	}
	if (proc_fork(p) < 0) {
		err_sys(err, errno, "process of %s", spec->id.user);
		err->class = ERR_TEMP;
		proc_retire(p);
		close_birth(p);
		maybe_free(p);
		return NULL;
	}
	return p;
}

void
procs_get(struct procs *ps, const struct child_spec *spec,
	  struct proc_waiter *w)
{
	struct proc *p = NULL;
	struct err err;
	struct buf key;

	list_init(&w->link);
	buf_init(&key, KEY_MAX);
	make_key(&key, spec);
	if (buf_overflown(&key)) {
		err_sys(&err, ENOMEM, "process of %s", spec->id.user);
	} else {
		p = map_get(&ps->by_key, buf_str(&key));
		if (!p)
			p = revive(ps, buf_str(&key));
		if (!p)
			p = proc_start(ps, spec, buf_str(&key), &err);
	}
	buf_fini(&key);
	if (!p)
		w->fn(w, NULL, &err);
	else if (p->state == PROC_RUNNING)
		w->fn(w, p, NULL);
	else
		list_append(&p->waiting, &w->link);
}

int
procs_init(struct procs *ps, struct loop *l, struct err *err)
{
	*ps = (struct procs){
		.loop = l, .child = child_main, .limit = 1, .seed = -1
	};
	list_init(&ps->list);
	ps->on_child = evsignal_new(l->base, SIGCHLD, on_child, ps);
	if (!ps->on_child || event_add(ps->on_child, NULL) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "no signal handler");
	return 0;
}

void
procs_fini(struct procs *ps)
{
	struct err err;

	drop_seed(ps);
	ps->limit = 0; /* nobody starts another one now */
	while (!list_empty(&ps->list)) {
		struct proc *p = LIST_OF(ps->list.next, struct proc, link);

		err_set(&err, ERR_TEMP, ESHUTDOWN, "spawner ends");
		tell_waiters(p, &err);
		if (p->asker)
			asker_free(p->asker);
		p->asker = NULL;
		p->pid = 0;
		maybe_free(p);
	}
	map_fini(&ps->by_key);
	map_fini(&ps->by_place);
	brake_fini(&ps->brake);
	if (ps->on_child)
		event_free(ps->on_child);
}
