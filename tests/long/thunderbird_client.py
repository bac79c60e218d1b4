# SPDX-License-Identifier: ISC
"""Thunderbird: its account, folders, flags, tags, search, moves, IDLE, and
sending through submission."""

import pytest

import clients
import posthouse as ph
from clients import Letter
from thunderbird import Thunderbird

# What the steps share, in Thunderbird's own words.
COMMON = r"""
globalThis.house ??= {};
const { MailServices } = ChromeUtils.importESModule(
    "resource:///modules/MailServices.sys.mjs");
/* A listener of all kinds, and what it waits for. */
const listen = () => {
    let listener;
    const done = new Promise((good, bad) => {
        const stop = (status) => status ?
            bad(new Error("0x" + status.toString(16))) : good();
        listener = {
            QueryInterface: ChromeUtils.generateQI([
                "nsIMsgCopyServiceListener", "nsIUrlListener"]),
            OnStartRunningUrl() {}, OnStopRunningUrl(url, s) { stop(s); },
            onStartCopy() {}, onProgress() {}, setMessageKey() {},
            getMessageId() { return null; }, onStopCopy(s) { stop(s); },
        };
    });
    return [done, listener];
};
const until = async (question) => {
    for (let n = 0; n < 300; n++) {
        const answer = await question();
        if (answer)
            return answer;
        await new Promise((go) => setTimeout(go, 50));
    }
    throw new Error(`not within 15 s: ${question}\n` +
        [...Services.wm.getEnumerator(null)].map((w) => `${w.location}: ` +
            (w.Dialog?.args?.text ?? w.document.title)).join("\n"));
};
const update = async (folder) => {
    const [done, listener] = listen();
    folder.QueryInterface(Ci.nsIMsgImapMailFolder)
        .updateFolderWithListener(null, listener);
    await done;
    return [...folder.messages];
};
const byUid = (folder, ...uids) => uids.map((u) => folder.GetMessageHeader(u));
const child = (name) => house.server.rootFolder.subFolders
    .concat(house.inbox.subFolders).find((f) => f.name === name);
"""

ACCOUNT = """
const [port, submission, user, password, ca] = args, host = "localhost";
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB)
    .addCertFromBase64(ca, "C,,");
for (const scheme of ["imap", "smtp"]) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"]
        .createInstance(Ci.nsILoginInfo);
    const url = `${scheme}://${host}`;
    login.init(url, null, url, user, password, "", "");
    await Services.logins.addLoginAsync(login);
}
const server = MailServices.accounts.createIncomingServer(user, host, "imap");
const smtp = MailServices.outgoingServer.createServer("smtp");
smtp.QueryInterface(Ci.nsISmtpServer);
smtp.hostname = host;
smtp.username = user;
server.port = port;
smtp.port = submission;
for (const s of [server, smtp]) {
    s.socketType = Ci.nsMsgSocketType.alwaysSTARTTLS;
    s.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
}
const identity = MailServices.accounts.createIdentity();
identity.email = user;
identity.fullName = "Bob";
identity.smtpServerKey = smtp.key;
const account = MailServices.accounts.createAccount();
account.incomingServer = server;
account.addIdentity(identity);
MailServices.accounts.defaultAccount = account;
{
    const [done, listener] = listen();
    MailServices.imap.discoverAllFolders(server.rootFolder, listener, null);
    await done;
}
const inbox = await until(() => server.rootFolder.getFolderWithFlags(
    Ci.nsMsgFolderFlags.Inbox));
Object.assign(house, { server, identity, inbox });
/* Else it would make one when it sends, and may be looking for it meanwhile. */
identity.fccFolderURI = (await until(() => child("Sent"))).URI;
const letters = await until(async () => {
    const there = await update(inbox);
    return there.length === 5 && there;
});
return letters.map((m) => [m.messageKey, m.mime2DecodedSubject]);
"""


@pytest.fixture(scope="module")
def house(make_module_instance):
    i = make_module_instance()
    i.letters = [Letter(f"Text {n} with grüne Äpfel.\r\n", [
        ("MIME-Version", "1.0"), ("Content-Transfer-Encoding", "8bit"),
        ("Content-Type", "text/plain; charset=utf-8")]) for n in range(5)]
    for n, letter in enumerate(i.letters):
        clients.send_smtplib(i, letter, [i.address("bob")])
        i.mailbox("bob").wait(n + 1)
    with clients.imap(i, "bob") as c:
        assert c.create("Sent")[0] == c.subscribe("Sent")[0] == "OK"
    return i


@pytest.fixture(scope="module")
def thunderbird(house):
    t = Thunderbird(house.dir)
    try:
        ca = "".join(l for l in house.ca_file.read_text().splitlines()
                     if not l.startswith("-----"))
        t.listed = t.run(COMMON + ACCOUNT, house.imap_port,
                         house.submission_port, house.address("bob"),
                         house.users["bob"], ca)
        yield t
    finally:
        t.server.stop()


@pytest.fixture
def run(thunderbird):
    return lambda body, *args: thunderbird.run(COMMON + body, *args)


def searched(house, *words, folder="INBOX"):
    with clients.imap(house, "bob", folder) as c:
        return [int(n) for n in c.uid("SEARCH", *words)[1][0].split()]


def soon(house, want, *words):
    """Thunderbird changes some things behind our back."""
    try:
        ph.wait_for(lambda: searched(house, *words) == want, "", 10)
    except AssertionError:
        assert searched(house, *words) == want, words


def test_lists(house, thunderbird):
    assert sorted(thunderbird.listed) == [
        [n, f"letter {letter.mark}"] for n, letter in
        enumerate(house.letters, 1)]


def test_reads(run):
    text = run("""
        const uri = house.inbox.getUriForMsg(byUid(house.inbox, 2)[0]);
        let text = "";
        await new Promise((good, bad) =>
            MailServices.messageServiceFromURI(uri).streamMessage(uri, {
                QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
                onStartRequest() {},
                onStopRequest(r, s) { s ? bad(s) : good(); },
                onDataAvailable(r, stream, offset, count) {
                    const s = Cc["@mozilla.org/binaryinputstream;1"]
                        .createInstance(Ci.nsIBinaryInputStream);
                    s.setInputStream(stream);
                    text += s.readBytes(count);
                },
            }, null, null, false, "", false));
        return text;""")
    assert "Text 1 with grüne Äpfel." in \
        text.encode("latin-1").decode()


def test_marks_and_tags(house, run):
    run("""
        const inbox = house.inbox;
        inbox.markMessagesFlagged(byUid(inbox, 1, 3), true);
        inbox.markMessagesRead(byUid(inbox, 2, 3), true);
        inbox.addKeywordsToMessages(byUid(inbox, 4), "$label1");
        await update(inbox);""")
    soon(house, [1, 3], "FLAGGED")
    soon(house, [2, 3], "SEEN")
    soon(house, [4], "KEYWORD", "$label1")
    # And what another client changes.
    with clients.imap(house, "bob", "INBOX") as c:
        c.uid("STORE", "1", "-FLAGS", r"(\Flagged)")
        c.uid("STORE", "5", "+FLAGS", r"(\Seen $label2)")
    assert run("""
        await until(async () => {
            await update(house.inbox);
            const [one, five] = byUid(house.inbox, 1, 5);
            return !one.isFlagged && five.isRead && five.getStringProperty(
                "keywords").includes("$label2");
        });
        return true;""")


def test_searches(run):
    found = run("""
        const session = Cc["@mozilla.org/messenger/searchSession;1"]
            .createInstance(Ci.nsIMsgSearchSession);
        session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, house.inbox);
        const term = session.createTerm(), value = term.value;
        term.attrib = value.attrib = Ci.nsMsgSearchAttrib.Body;
        term.op = Ci.nsMsgSearchOp.Contains;
        value.str = "3 WITH GRÜNE";
        term.value = value;
        session.appendTerm(term);
        const hits = [];
        await new Promise((good, bad) => {
            session.registerListener({
                onSearchHit(header) { hits.push(header.messageKey); },
                onSearchDone(s) { s ? bad(s) : good(); },
                onNewSearch() {},
            });
            session.search(null);
        });
        return hits;""")
    assert found == [4]


def test_folders_and_moves(house, run):
    run("""
        house.server.rootFolder.createSubfolder("Bücher", null);
        const books = await until(() => child("Bücher"));
        for (const [uid, move] of [[3, true], [4, false]]) {
            const [done, listener] = listen();
            MailServices.copy.copyMessages(house.inbox,
                byUid(house.inbox, uid), books, move, listener, null, false);
            await done;
        }""")
    assert searched(house, "ALL") == [1, 2, 4, 5]
    assert searched(house, "ALL", folder="B&APw-cher") == [1, 2]
    assert searched(house, "FLAGGED", folder="B&APw-cher") == [1]
    assert searched(house, "KEYWORD", "$label1", folder="B&APw-cher") == [2]
    run("""
        const [done, listener] = listen();
        house.inbox.deleteMessages(byUid(house.inbox, 2), null, false, true,
            listener, false);
        await done;""")
    assert searched(house, "ALL") == [1, 4, 5]
    assert len(searched(house, "ALL", folder="Trash")) == 1


def test_new_mail_comes_by_itself(house, run):
    """IDLE: nobody asks."""
    run("await update(house.inbox);"
        "house.before = house.inbox.getTotalMessages(false);")
    clients.send_smtplib(house, Letter(), [house.address("bob")])
    run("await until(() => house.inbox.getTotalMessages(false) === "
        "house.before + 1);")


def test_sends(house, run):
    run("""
        const fields = Cc["@mozilla.org/messengercompose/composefields;1"]
            .createInstance(Ci.nsIMsgCompFields);
        const params = Cc["@mozilla.org/messengercompose/composeparams;1"]
            .createInstance(Ci.nsIMsgComposeParams);
        fields.to = args[0];
        fields.subject = "Grüße";
        fields.body = "Früh.\\n";
        params.composeFields = fields;
        params.identity = house.identity;
        params.type = Ci.nsIMsgCompType.New;
        params.format = Ci.nsIMsgCompFormat.PlainText;
        MailServices.compose.OpenComposeWindowWithParams(null, params);
        const win = await until(() => {
            const w = Services.wm.getMostRecentWindow("msgcompose");
            return w?.composeEditorReady && w;
        });
        win.goDoCommand("cmd_sendNow");
        await until(() => win.closed);""", house.address("alice"))
    raw, = house.mailbox("alice").wait(1)
    message = clients.header(raw.read_bytes())
    assert house.address("bob") in message["From"]
    assert message.get_payload(decode=True).decode().strip() == "Früh."
    ph.wait_for(lambda: searched(house, "ALL", folder="Sent"),
                "the copy of what was sent")
