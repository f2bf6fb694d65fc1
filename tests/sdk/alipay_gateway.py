"""A merchant's own system: the stock client `python-alipay-sdk`, unchanged but for its gateway's address.

    alipay_gateway.py SETTINGS.json

precreates an order and prints it, waits for the notification on its own little server, checks it with the client's own
verify(), queries by both numbers, closes a second order and cancels a third, and is refused. One JSON line per step on
stdout; the exit status is 0 only when every step held.
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from urllib.parse import parse_qsl

from alipay import AliPay
from alipay.exceptions import AliPayException

settings = json.load(open(sys.argv[1], encoding="utf-8"))
arrived = Queue()


class Merchant(BaseHTTPRequestHandler):
    """Takes notifications; what they say is checked by the main thread before they are answered."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        verdict = Queue()
        arrived.put((dict(parse_qsl(body)), verdict))
        answer = verdict.get().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Merchant)
threading.Thread(target=server.serve_forever, daemon=True).start()
notify_url = "http://127.0.0.1:%d/notify" % server.server_port


def say(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)


def expect(answer, **wanted):
    for name, value in wanted.items():
        assert answer.get(name) == value, "%s instead of %s=%s" % (answer, name, value)


def connect(app_id):
    client = AliPay(
        appid=app_id,
        app_notify_url=notify_url,
        app_private_key_string=settings["private_key"],
        alipay_public_key_string=settings["public_key"],
    )
    client._gateway = settings["gateway"]
    return client


client = connect(settings["app_id"])
order = {"sub_merchant": {"merchant_id": settings["merchant"]}, "passback_params": "自定义 {data}"}


def precreate(number):
    answer = client.api_alipay_trade_precreate("商品 {one}", number, 123.45, **order)
    expect(answer, code="10000", out_trade_no=number)
    return answer


placed = precreate("SDK-1")
expect(precreate("SDK-1"), qr_code=placed["qr_code"])
say("placed", qr_code=placed["qr_code"])

told, verdict = arrived.get(timeout=60)
signature = told.pop("sign")
assert client.verify(dict(told), signature), "the notification's signature"
expect(told, app_id=settings["app_id"], out_trade_no="SDK-1", trade_status="TRADE_SUCCESS", total_amount="123.45")
expect(told, passback_params="自定义 {data}", subject="商品 {one}")
assert not client.verify({**told, "total_amount": "123.46"}, signature)
verdict.put("success")
say("told", trade_no=told["trade_no"])

for which in ({"out_trade_no": "SDK-1"}, {"trade_no": told["trade_no"]}):
    answer = client.api_alipay_trade_query(**which)
    expect(answer, code="10000", trade_status="TRADE_SUCCESS", total_amount="123.45", trade_no=told["trade_no"])
expect(client.api_alipay_trade_cancel("SDK-1"), code="40004", sub_code="ACQ.TRADE_HAS_SUCCESS")
say("queried")

precreate("SDK-2")
expect(client.api_alipay_trade_close("SDK-2"), code="10000", out_trade_no="SDK-2")
expect(client.api_alipay_trade_query("SDK-2"), trade_status="TRADE_CLOSED")
precreate("SDK-3")
expect(client.api_alipay_trade_cancel("SDK-3"), code="10000", action="close", retry_flag="N")
say("closed")

expect(client.api_alipay_trade_query("NONE"), code="40004", sub_code="ACQ.TRADE_NOT_EXIST")
expect(client.api_alipay_trade_refund("1.00", "SDK-1"), code="40006", sub_code="isv.insufficient-isv-permissions")
try:
    connect("2021000000000009").api_alipay_trade_query("SDK-1")
    raise AssertionError("a stranger is answered")
except AliPayException as refused:
    assert "isv.invalid-app-id" in str(refused), refused
say("done")
