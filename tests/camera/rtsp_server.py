#!/usr/bin/python3
"""An RTSP server on loopback: `rtsp_server.py PORT`, rtsp://127.0.0.1:PORT/h264 and /mjpeg, both
behind the name "camera" and the password "secret". Exit code 77 where GStreamer is absent."""
import sys

try:
    import gi
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError):
    sys.exit(77)

SOURCE = "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! "
STREAMS = {
    "/h264": SOURCE + "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! "
                      "rtph264pay name=pay0 pt=96",
    "/mjpeg": SOURCE + "jpegenc ! rtpjpegpay name=pay0 pt=26",
}


def main():
    Gst.init(None)
    if not all(Gst.ElementFactory.find(name) for name in
               ("videotestsrc", "x264enc", "rtph264pay", "jpegenc", "rtpjpegpay")):
        sys.exit(77)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "camera")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("camera", "secret"), token)
    server.set_auth(auth)
    for path, launch in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(True)
        allowed = Gst.Structure.new_from_string(
            "camera, media.factory.access=(boolean)true, media.factory.construct=(boolean)true")
        factory.add_role_from_structure(allowed[0] if isinstance(allowed, tuple) else allowed)
        server.get_mount_points().add_factory(path, factory)
    if server.attach(None) == 0:
        sys.exit(f"port {sys.argv[1]} is in use")
    GLib.MainLoop().run()


main()
