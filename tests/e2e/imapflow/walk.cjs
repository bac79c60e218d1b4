/* SPDX-License-Identifier: ISC */
/*
 * walk.cjs HOST PORT USER PASSWORD CAFILE: what an application on imapflow
 * does with a mailbox, over STARTTLS, with a second session beside it.
 */
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { once } = require('node:events');
const { ImapFlow } = require('imapflow');

const [host, port, user, pass, ca] = process.argv.slice(2);
const connect = async (more = {}) => {
	const client = new ImapFlow({
		host, port: Number(port), secure: false, auth: { user, pass },
		tls: { ca: fs.readFileSync(ca) }, logger: false, ...more,
	});
	await client.connect();
	assert.ok(client.secureConnection);
	return client;
};
/* An event that the other session caused. */
const soon = (client, event) => once(client, event,
	{ signal: AbortSignal.timeout(60000) }).then(([what]) => what);
const all = async (generator) => {
	const list = [];
	for await (const item of generator)
		list.push(item);
	return list;
};
const flags = (message) =>
	[...message.flags].filter((f) => f !== '\\Recent').sort();

const letter = (n, more = '') => [
	`Message-ID: <imapflow-${n}@example.com>`,
	n ? `In-Reply-To: <imapflow-${n - 1}@example.com>` : 'X-First: yes',
	'From: "Köln, A" <a@example.com>', 'To: b@example.com',
	`Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= ${n}`,
	'Date: Sun, 22 Nov 2026 12:00:00 +0100', 'MIME-Version: 1.0',
	'Content-Type: multipart/mixed; boundary=b', '', '--b',
	'Content-Type: text/plain; charset=utf-8',
	'Content-Transfer-Encoding: base64', '', 'R3LDvMOfZSBhdXMgS8O2bG4K',
	'--b', 'Content-Type: application/octet-stream',
	"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.bin",
	'Content-Transfer-Encoding: base64', '', 'AAECAwQF', '--b--', more,
].join('\r\n');

const folders = async (c) => {
	await c.mailboxCreate('Projekte/Köln'.split('/'));
	await c.mailboxCreate('Old');
	await c.mailboxSubscribe('Old');
	await c.mailboxRename('Old', 'Older');
	const list = await c.list({ statusQuery: { messages: true,
		unseen: true, uidNext: true } });
	const paths = list.map((m) => m.path);
	for (const path of ['INBOX', 'Projekte.Köln', 'Older'])
		assert.ok(paths.includes(path), `${path} in ${paths}`);
	assert.equal(list.find((m) => m.path === 'INBOX').status.messages, 0);
	await c.mailboxUnsubscribe('Older');
	await c.mailboxDelete('Older');
	assert.ok(!(await c.list()).some((m) => m.path === 'Older'));
	assert.equal((await c.getMailboxLock('Projekte.Köln')).path,
		'Projekte.Köln');
};

const messages = async (c) => {
	const date = new Date('2020-02-29T12:34:56Z');
	for (let n = 0; n < 4; n++) {
		const r = await c.append('INBOX', letter(n),
			n % 2 ? ['\\Seen'] : ['\\Flagged', '$Label1'], date);
		assert.equal(r.uid, n + 1);
	}
	const lock = await c.getMailboxLock('INBOX');
	assert.equal(c.mailbox.exists, 4);
	const found = await all(c.fetch('1:*', { uid: true, flags: true,
		envelope: true, bodyStructure: true, internalDate: true,
		size: true, source: true, headers: ['subject'] }));
	assert.equal(found.length, 4);
	found.forEach((m, n) => {
		assert.equal(m.uid, n + 1);
		assert.equal(m.source.toString(), letter(n));
		assert.equal(m.size, Buffer.byteLength(letter(n)));
		assert.equal(m.internalDate.getTime(), date.getTime());
		assert.equal(m.envelope.subject, `Grüße ${n}`);
		assert.equal(m.envelope.messageId,
			`<imapflow-${n}@example.com>`);
		assert.equal(m.envelope.from[0].name, 'Köln, A');
		assert.equal(m.bodyStructure.childNodes.length, 2);
		assert.equal(m.bodyStructure.childNodes[1]
			.dispositionParameters.filename, '€.bin');
		assert.match(m.headers.toString(), /^Subject: =\?utf-8/);
		assert.deepEqual(flags(m), n % 2 ? ['\\Seen'] :
			['$Label1', '\\Flagged']);
	});
	const part = await c.download('2', '1', { uid: true });
	const chunks = await all(part.content);
	assert.equal(Buffer.concat(chunks).toString(), 'Grüße aus Köln\n');
	assert.equal(part.meta.charset, 'utf-8');
	const file = await c.download('2', '2', { uid: true });
	assert.deepEqual([...Buffer.concat(await all(file.content))],
		[0, 1, 2, 3, 4, 5]);
	assert.equal(file.meta.filename, '€.bin');
	lock.release();
};

const searches = async (c) => {
	const lock = await c.getMailboxLock('INBOX');
	const rows = [
		[{ all: true }, [1, 2, 3, 4]],
		[{ seen: true }, [2, 4]],
		[{ flagged: true, not: { uid: '1' } }, [3]],
		[{ or: [{ uid: '1' }, { subject: 'Grüße 3' }] }, [1, 4]],
		[{ body: 'aus Köln' }, [1, 2, 3, 4]],
		[{ header: { 'in-reply-to': 'imapflow-1' } }, [3]],
		[{ header: { 'x-first': true } }, [1]],
		[{ keyword: '$Label1' }, [1, 3]],
		[{ before: new Date('2021-01-01'), larger: 100 }, [1, 2, 3, 4]],
		[{ sentSince: new Date('2026-11-23') }, []],
		[{ from: 'KÖLN' }, [1, 2, 3, 4]],
	];
	for (const [what, want] of rows)
		assert.deepEqual(await c.search(what, { uid: true }), want,
			JSON.stringify(what));
	lock.release();
};

const changes = async (c, other) => {
	const lock = await c.getMailboxLock('INBOX');
	const watch = await other.getMailboxLock('INBOX');
	assert.ok(c.mailbox.highestModseq, 'CONDSTORE');
	const before = c.mailbox.highestModseq;

	other.idle();
	let event = soon(other, 'flags');
	await c.messageFlagsAdd('1', ['\\Answered', 'Work'], { uid: true });
	event = await event;
	assert.equal(event.seq, 1);
	assert.ok(event.flags.has('\\Answered') && event.flags.has('Work'));
	await c.messageFlagsRemove('1', ['\\Answered'], { uid: true });
	await c.messageFlagsSet('2', ['\\Draft'], { uid: true });
	const changed = await all(c.fetch('1:*', { uid: true, flags: true },
		{ changedSince: before }));
	assert.deepEqual(changed.map((m) => m.uid), [1, 2]);
	assert.deepEqual(flags(changed[1]), ['\\Draft']);

	other.idle();
	event = soon(other, 'exists');
	const copied = await c.messageCopy('1:2', 'Projekte.Köln');
	assert.equal(copied.uidMap.size, 2);
	await c.append('INBOX', letter(9));
	assert.equal((await event).count, 5);

	other.idle();
	event = soon(other, 'expunge');
	const moved = await c.messageMove('3', 'Projekte.Köln', { uid: true });
	assert.equal(moved.uidMap.size, 1);
	assert.ok(await event);
	await c.messageDelete('4', { uid: true });
	const status = await c.status('Projekte.Köln', { messages: true,
		uidNext: true, highestModseq: true });
	assert.equal(status.messages, 3);
	assert.equal(status.uidNext, 4);
	watch.release();
	lock.release();
	assert.deepEqual(await (async () => {
		const l = await other.getMailboxLock('INBOX');
		const uids = await other.search({ all: true }, { uid: true });
		l.release();
		return uids;
	})(), [1, 2, 5]);
};

/* A client that was away hears of what vanished (RFC 7162). */
const resync = async (c) => {
	const away = await connect({ qresync: true });
	assert.ok(away.enabled.has('QRESYNC'));
	let lock = await away.getMailboxLock('INBOX');
	const event = soon(away, 'expunge');
	away.idle();
	const own = await c.getMailboxLock('INBOX');
	await c.messageDelete('5', { uid: true });
	own.release();
	const gone = await event;
	assert.equal(gone.uid, 5);
	assert.ok(gone.vanished);
	lock.release();
	await away.logout();
};

const main = async () => {
	const [c, other] = [await connect(), await connect()];
	await folders(c);
	await messages(c);
	await searches(c);
	await changes(c, other);
	await resync(c);
	await Promise.all([c.logout(), other.logout()]);
	const plain = await connect({ disableCompression: true });
	await plain.noop();
	await plain.logout();
};

main().then(() => console.log('walked'), (e) => {
	console.error(e, e.response && JSON.stringify(e.response));
	process.exit(1);
});
