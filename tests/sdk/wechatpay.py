"""A merchant's own system: the stock client `wechatpayv3`, unchanged but for its base URL.

    wechatpay.py SETTINGS.json

places an order and prints it, waits for the notification on its own little server, checks it with the client's own
callback(), queries by both numbers, places a second order and closes it. One JSON line per step on stdout; the exit
status is 0 only when every step held.
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

from wechatpayv3 import WeChatPay, WeChatPayType

settings = json.load(open(sys.argv[1], encoding="utf-8"))
arrived = Queue()


class Merchant(BaseHTTPRequestHandler):
    """Takes notifications; what they say is checked by the main thread before they are answered."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        verdict = Queue()
        arrived.put((dict(self.headers.items()), body, verdict))
        self.send_response(verdict.get())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Merchant)
threading.Thread(target=server.serve_forever, daemon=True).start()
notify_url = "http://127.0.0.1:%d/notify" % server.server_port


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)


def expect(code, wanted, message):
    assert code == wanted, "%s instead of %s: %s" % (code, wanted, message)


def connect():
    """The client asks for certificates as it is made, so the base URL is set on its class."""
    from wechatpayv3 import core

    class Redirected(core.Core):
        def __setattr__(self, name, value):
            super().__setattr__(name, settings["base_url"] if name == "_gate_way" else value)

    core.Core = Redirected
    return WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=settings["sp_mchid"],
        private_key=settings["private_key"],
        cert_serial_no=settings["serial"],
        appid=settings["sp_appid"],
        apiv3_key=settings["apiv3_key"],
        notify_url=notify_url,
        partner_mode=True,
        timeout=(10, 30),
        public_key=settings.get("public_key"),
        public_key_id=settings.get("public_key_id"),
    )


client = connect()
sub_mchid, number = settings["sub_mchid"], settings["out_trade_no"]

code, message = client.pay(
    description="商品 one",
    out_trade_no=number,
    amount={"total": 12345, "currency": "CNY"},
    attach="自定义 data",
    goods_tag=settings["goods_tag"],
    sub_mchid=sub_mchid,
)
expect(code, 200, message)
say("placed", code_url=json.loads(message)["code_url"])

headers, body, verdict = arrived.get(timeout=60)
told = client.callback(headers, body)
if not told or told["event_type"] != "TRANSACTION.SUCCESS":
    verdict.put(401)
    raise SystemExit("the client does not accept our notification: %s" % (told,))
verdict.put(204)
resource = told["resource"]
assert resource["out_trade_no"] == number and resource["trade_state"] == "SUCCESS", resource
assert resource["attach"] == "自定义 data" and resource["sub_mchid"] == sub_mchid, resource
say("told", id=told["id"], transaction_id=resource["transaction_id"], paid=resource["amount"]["payer_total"])

code, message = client.query(out_trade_no=number, sub_mchid=sub_mchid)
expect(code, 200, message)
by_number = json.loads(message)
code, message = client.query(transaction_id=resource["transaction_id"], sub_mchid=sub_mchid)
expect(code, 200, message)
assert json.loads(message) == by_number == resource, (message, by_number, resource)
say("queried", trade_state=by_number["trade_state"])

code, message = client.pay(
    description="to be closed", out_trade_no=number + "-2", amount={"total": 1}, sub_mchid=sub_mchid
)
expect(code, 200, message)
code, message = client.close(out_trade_no=number + "-2", sub_mchid=sub_mchid)
expect(code, 204, message)
code, message = client.query(out_trade_no=number + "-2", sub_mchid=sub_mchid)
expect(code, 200, message)
assert json.loads(message)["trade_state"] == "CLOSED", message
say("closed")

code, message = client.query(out_trade_no="NO-SUCH-ORDER", sub_mchid=sub_mchid)
expect(code, 404, message)
assert json.loads(message)["code"] == "ORDER_NOT_EXIST", message
say("done")
